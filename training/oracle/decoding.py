"""Fast mode's decision in plain NumPy: the paper's Algorithm 1, every cell of J made.

Written from the method alone, as a measure for src/decoding. Where the paper leaves a choice, the
product's is taken and named here:

- probabilities are renormalised over the top k after temperature;
- an n-gram that the table lacks gets the lift that its parts predict (pairs: 1; triples: the product
  of their pairs' lifts), but at most resolution / product of the unigrams; or a given constant;
- a triple counts as held when its pairs are; its lift is bounded by lift(ab) / p(c) and
  lift(bc) / p(a), since it cannot be more frequent than its pairs;
- 4-grams have lift(abc) lift(bcd) / lift(bc);
- masked values are clipped to 1; epsilon^(n-1) is the static threshold of order n;
- the blur only serves to find Otsu's threshold; a repeating cell is divided by the penalty once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

RAREST = 1e-15


@dataclass(frozen=True)
class Head:
    ids: np.ndarray
    logits: np.ndarray
    log_normalizer: float


@dataclass(frozen=True)
class Table:
    resolution: float
    unigram: Callable[[int], float]
    lift: Callable[..., float | None]


@dataclass(frozen=True)
class Settings:
    epsilon: float
    temperature: float
    top_k: int
    greedy: bool
    alpha: float
    unseen: float | None
    static: bool
    otsu: bool
    blur: bool
    penalty: float
    window: int
    whole_ngram: bool


@dataclass
class Joint:
    """J and the tokens of its cells; `tokens` has one more axis, of length n."""

    values: np.ndarray
    tokens: np.ndarray


class TooClose(Exception):
    """The decision hangs on a rounding error, so it proves nothing."""


def softmax(head: Head, temperature: float, top_k: int) -> np.ndarray:
    scaled = head.logits[:top_k].astype(np.float64) / temperature
    weights = np.exp(scaled - scaled[0])
    return weights / weights.sum()


def independent_joint(heads: Sequence[Head], s: Settings, n: int) -> Joint:
    probabilities = [softmax(head, s.temperature, s.top_k) for head in heads[:n]]
    values = functools.reduce(np.multiply.outer, probabilities)
    grids = np.meshgrid(
        *[h.ids[: len(p)] for h, p in zip(heads, probabilities, strict=False)], indexing="ij"
    )
    return Joint(values, np.stack(grids, axis=-1))


def chained_joint(chains: Sequence[Sequence[tuple[int, Head]]], s: Settings, n: int) -> Joint:
    """One row for each beginning of n - 1 tokens, one column for each candidate of the n-th."""
    rows: dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]] = {}
    for chain in chains:
        beginning = tuple(token for token, _ in chain[: n - 1])
        value = 1.0
        for token, head in chain[: n - 1]:
            probabilities = softmax(head, s.temperature, s.top_k)
            rank = list(head.ids[: len(probabilities)]).index(token)
            value *= probabilities[rank]
        if beginning in rows:
            continue
        last = chain[n - 1][1]
        probabilities = softmax(last, s.temperature, s.top_k)
        tokens = [[*beginning, token] for token in last.ids[: len(probabilities)]]
        rows[beginning] = (value * probabilities, np.array(tokens))
    return Joint(np.stack([r[0] for r in rows.values()]), np.stack([r[1] for r in rows.values()]))


def lift_of(table: Table, unseen: float | None, tokens: tuple[int, ...]) -> float:
    p = [max(table.unigram(token), RAREST) for token in tokens]
    if len(tokens) == 4:
        shared = lift_of(table, unseen, tokens[1:3])
        if shared == 0:
            return 0.0
        return lift_of(table, unseen, tokens[:3]) * lift_of(table, unseen, tokens[1:]) / shared
    if len(tokens) == 2:
        held = table.lift(*tokens)
        if held is not None:
            return held
        return min(1.0, table.resolution / (p[0] * p[1])) if unseen is None else unseen
    front = lift_of(table, unseen, tokens[:2])
    back = lift_of(table, unseen, tokens[1:])
    pairs_held = table.lift(*tokens[:2]) is not None and table.lift(*tokens[1:]) is not None
    held = table.lift(*tokens) if pairs_held else None
    if held is not None:
        return min(held, front / p[2], back / p[0])
    return min(front * back, table.resolution / np.prod(p)) if unseen is None else unseen


def masked(joint: Joint, table: Table, s: Settings) -> Joint:
    n = joint.tokens.shape[-1]
    lifts = [lift_of(table, s.unseen, tuple(t)) for t in joint.tokens.reshape(-1, n).tolist()]
    factors = np.power(np.array(lifts), s.alpha).reshape(joint.values.shape)
    return Joint(np.minimum(1, joint.values * factors), joint.tokens)


def gaussian_blur(values: np.ndarray) -> np.ndarray:
    """Kernel 1/4, 1/2, 1/4 along every axis, mirrored without repeating the border."""
    for axis, length in enumerate(values.shape):
        if length == 1:
            continue
        padding = [(1, 1) if i == axis else (0, 0) for i in range(values.ndim)]
        padded = np.moveaxis(np.pad(values, padding, mode="reflect"), axis, 0)
        blurred = 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
        values = np.moveaxis(blurred, 0, axis)
    return values


def otsu(values: np.ndarray) -> float:
    flat = values.ravel()
    low, high = flat.min(), flat.max()
    if low == high:
        return float(low)
    if (np.diff(np.linspace(low, high, 257)) <= 0).any():
        return float(low)  # Equal but for rounding.
    counts, edges = np.histogram(flat, bins=256)
    for nudge in (1 - 1e-11, 1 + 1e-11):
        moved = np.clip(low + (flat - low) * nudge, low, high)
        if (np.histogram(moved, bins=edges)[0] != counts).any():
            raise TooClose("a value at the edge of a bin")
    centres = (edges[:-1] + edges[1:]) / 2
    below, above = np.cumsum(counts), np.cumsum(counts[::-1])[::-1]
    mean_below = np.cumsum(counts * centres) / below
    mean_above = np.cumsum((counts * centres)[::-1])[::-1] / above
    variance = below[:-1] * above[1:] * (mean_below[:-1] - mean_above[1:]) ** 2
    best = variance.argmax()
    others = below[:-1] != below[best]  # Cuts that divide the values in another way.
    if (others & (variance > variance[best] * (1 - 1e-9))).any():
        raise TooClose("two cuts that are equally good")
    return float(centres[best])


def cut(values: np.ndarray, threshold: float) -> np.ndarray:
    if threshold > 0 and (np.abs(values - threshold) < 1e-9 * threshold).any():
        raise TooClose("a value at a threshold")
    return np.where(values < threshold, 0, values)


def penalised(joint: Joint, recent: Sequence[int], s: Settings) -> np.ndarray:
    latest = list(recent[-s.window :]) if s.window else []
    n = joint.tokens.shape[-1]
    if s.whole_ngram:
        ngrams = {tuple(latest[i : i + n]) for i in range(len(latest) - n + 1)}
        repeats = [tuple(t) in ngrams for t in joint.tokens.reshape(-1, n).tolist()]
    else:
        repeats = np.isin(joint.tokens, latest).any(axis=-1)
    repeats = np.reshape(repeats, joint.values.shape)
    return np.where(repeats, joint.values / s.penalty, joint.values)


def choose(values: np.ndarray, greedy: bool, uniform: float) -> tuple[int, ...]:
    flat = values.ravel()
    if greedy:
        order = np.argsort(flat)[::-1]
        if len(order) > 1 and flat[order[1]] > flat[order[0]] * (1 - 1e-9):
            raise TooClose("two largest values")
        return np.unravel_index(order[0], values.shape)
    sums = np.cumsum(flat)
    if (np.abs(sums - uniform * sums[-1]) < 1e-9 * sums[-1]).any():
        raise TooClose("a draw at the edge of a cell")
    return np.unravel_index(np.searchsorted(sums, uniform * sums[-1], side="right"), values.shape)


def decide(
    joint_of: Callable[[int], Joint],
    most: int,
    table: Table | None,
    recent: Sequence[int],
    s: Settings,
    uniform: float,
) -> dict:
    """The tokens of one step, the value of J for them, and what became of each order.

    Raises TooClose when rounding would decide.
    """
    tried = []
    for n in range(1 if s.epsilon == 1 else most, 1, -1):
        plain = joint_of(n)
        threshold = s.epsilon ** (n - 1)
        joint = masked(plain, table, s) if table and s.alpha > 0 else plain
        values = cut(joint.values, threshold if s.static else 0)
        unmasked = bool(s.epsilon == 0 and not values.any())
        if unmasked:
            values = plain.values
        adaptive = None
        if s.otsu and values.any():
            adaptive = otsu(gaussian_blur(values) if s.blur else values)
            values = cut(values, adaptive)
        values = penalised(Joint(values, plain.tokens), recent, s)
        if threshold > 0 and abs(values.max() - threshold) < 1e-9 * threshold:
            raise TooClose("the largest value at the threshold")
        survivors = int(np.count_nonzero(values))
        outcome = "empty" if survivors == 0 else "chosen" if values.max() >= threshold else "low"
        tried.append([n, adaptive, survivors, float(values.max()), unmasked, outcome])
        if outcome == "chosen":
            place = choose(values, s.greedy, uniform)
            return {
                "tokens": plain.tokens[place].tolist(),
                "joint": float(values[place]),
                "tried": tried,
            }
    joint = joint_of(1)
    place = choose(joint.values, s.greedy, uniform)
    tokens = joint.tokens[place].tolist()
    return {"tokens": tokens, "joint": float(joint.values[place]), "tried": tried}
