"""Measures a model on held-out rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..model.base_model import BaseModel
from ..model.guesses import best_tokens, head_states
from ..model.heads import TokenHeads
from ..precision import autocast
from ..train.cache import Cache, bf16_from_numpy
from . import formulas

CHUNK = 128  # positions whose logits exist at a time
EPSILONS = tuple(round(0.1 * step, 1) for step in range(11))


@dataclass
class Model:
    """A base with heads. Computes in the base's type, logits in float32."""

    base: BaseModel
    heads: TokenHeads
    shortlist: Tensor
    """Tokens that heads 2..n may propose, int64 [S]."""
    learnt_base: bool = False
    """Whether the base was trained too, so that a cache's stems are not its own."""

    @property
    def device(self) -> torch.device:
        return self.base.embedding.weight.device

    def proposals(self) -> Tensor:
        """Rows of the output embedding that heads 2..n propose from, [S, H]."""
        return self.base.embedding.weight[self.shortlist]

    def autocast(self) -> torch.autocast:
        return autocast(self.device, self.base.embedding.weight.dtype)

    def rows(self, cache: Cache, count: int) -> list[tuple[Tensor, Tensor]]:
        """The first rows of a cache: ids [1, T] and stem [1, T, H] each."""
        found = []
        for index in range(cache.parts()):
            part = cache.open(index)
            for row in range(min(len(part.ids), count - len(found))):
                ids = torch.from_numpy(part.ids[row : row + 1].astype(np.int64)).to(self.device)
                if self.learnt_base:
                    with self.autocast():
                        stem = self.base.stem(ids)
                else:
                    stem = bf16_from_numpy(part.stem[row : row + 1]).to(self.device)
                    stem = stem.to(self.base.embedding.weight.dtype)
                found.append((ids, stem))
        return found


@torch.inference_mode()
def evaluate(model: Model, heldout: Cache, rows: int) -> dict[str, object]:
    """Perplexities, accuracy and agreement on a held-out cache's first rows."""
    n = model.heads.config.tokens
    vocabulary = model.base.embedding.weight.float()
    short = model.proposals()
    proposed = short.float()
    log_p, confidences = [], []
    accurate, agreeing = np.zeros(n), np.zeros(n)
    for ids, stem in model.rows(heldout, rows):
        length = ids.shape[1] - n
        with model.autocast():
            first = model.base.head1(stem)
            later = head_states(model.base, model.heads, ids, stem)
        text = [ids[0, head : head + length] for head in range(1, n + 1)]
        read = [_read(first[0], vocabulary, ids[0], 1, formulas.TOP_K)] + [
            _read(states[0], vocabulary, ids[0], head, 1)
            for head, states in enumerate(later, start=2)
        ]
        choice = read[0].best
        guesses = [choice, *(best_tokens(states, short, model.shortlist)[0] for states in later)]
        for index, guess in enumerate(guesses):
            accurate[index] += (guess[:length] == text[index]).float().mean().item()
            ahead = choice[index : index + length]
            agreeing[index] += (guess[:length] == ahead).float().mean().item()
        log_p.append([part.log_p[:length].double().cpu().numpy() for part in read])
        alone = model.heads.config.kind == "independent"
        own = later if alone else _drafted(model, ids, stem, choice)
        sure = [_read(states[0], proposed, None, 0, formulas.TOP_K) for states in own]
        confidences.append(
            [formulas.confidence(part.top[:length].cpu().numpy()) for part in (read[0], *sure)]
        )
    count = len(log_p)
    if count == 0:
        raise ValueError(f"{heldout.folder} has no rows yet")
    every = np.concatenate(log_p, axis=1)
    sure = np.concatenate(confidences, axis=1)
    heads = range(1, n + 1)
    return {
        "rows": count,
        "positions": every.shape[1],
        "ppl": {str(head): formulas.perplexity(every, head) for head in heads}
        | {f"1:{head}": formulas.joint_perplexity(every, head) for head in heads[1:]},
        "ppl_d": [_dynamic(every, sure, epsilon) for epsilon in EPSILONS],
        "accuracy": {str(head): accurate[head - 1] / count for head in heads},
        "agreement": {str(head): agreeing[head - 1] / count for head in heads[1:]},
    }


@torch.inference_mode()
def accepted_length(model: Model, written: Cache, rows: int) -> dict[str, object]:
    """Tokens a step of exact mode, greedy, on text that the base wrote.

    A chained head is fed the text here and its own guesses in decoding. Up to the first wrong guess
    these are the same, and what comes after it counts for nothing.
    """
    if "written_from" not in written.meta:
        raise ValueError(f"{written.folder} was not written by the base: see the `write` command")
    if model.learnt_base:
        raise ValueError("the base was trained: what it wrote before is not its own text any more")
    start, end = int(written.meta["written_from"]), int(written.meta["end_of_text"])
    short = model.proposals()
    tokens = steps = 0
    for ids, stem in model.rows(written, rows):
        with model.autocast():
            later = head_states(model.base, model.heads, ids, stem)
        right = np.zeros((len(later), ids.shape[1]), bool)
        for index, states in enumerate(later):
            ahead = index + 2
            guess = best_tokens(states, short, model.shortlist)[:, :-ahead]
            right[index, :-ahead] = (guess == ids[:, ahead:])[0].cpu().numpy()
        ends = (ids[0, start:] == end).nonzero()[:, 0].tolist()
        last = start + ends[0] if ends else ids.shape[1] - 1
        more = formulas.walk(right, start, last)
        tokens, steps = tokens + more[0], steps + more[1]
    return {"accepted": tokens / max(steps, 1), "accepted_steps": steps}


@dataclass
class _Reading:
    """What a head says at T positions: log-probability of the text, likeliest token, top logits."""

    log_p: Tensor
    best: Tensor
    top: Tensor


def _read(
    states: Tensor, embedding: Tensor, ids: Tensor | None, head: int, top: int
) -> _Reading:
    """states [T, H] of a head; embedding float32 [S, H]; ids [T], or None for no log_p."""
    targets = torch.zeros(len(states), dtype=torch.int64, device=states.device)
    if ids is not None:
        targets[: len(ids) - head] = ids[head:]
    pieces = []
    for start in range(0, len(states), CHUNK):
        logits = states[start : start + CHUNK].float() @ embedding.T
        best, places = logits.topk(min(top, logits.shape[1]), dim=-1)
        wanted = logits.gather(1, targets[start : start + CHUNK, None])[:, 0]
        pieces.append((wanted - logits.logsumexp(-1), places[:, 0], best))
    return _Reading(*(torch.cat(field) for field in zip(*pieces, strict=True)))


def _drafted(model: Model, ids: Tensor, stem: Tensor, choice: Tensor) -> list[Tensor]:
    """Normed states of heads 2..n along the greedy chain from every position."""
    base, short = model.base, model.proposals()

    def guess(state: Tensor) -> Tensor:
        return base.embedding(best_tokens(base.norm(state), short, model.shortlist))

    with model.autocast():
        embedded, first = base.embedding(ids), base.embedding(choice[None])
        return [base.norm(state) for state in model.heads.draft(stem, embedded, first, guess)]


def _dynamic(log_p: np.ndarray, confidences: np.ndarray, epsilon: float) -> dict[str, float]:
    orders = formulas.orders(confidences, epsilon)
    return {
        "epsilon": epsilon,
        "ppl": formulas.dynamic_perplexity(log_p, orders),
        "tokens": float(orders.mean()),
    }
