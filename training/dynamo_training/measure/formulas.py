"""The measures of multi-token prediction, as functions of arrays.

`log_p` is float [n, P]: log p_i(x_{t+i}), head i's log-probability of the text's token, at P
positions t at which all n heads have a target. Independent heads condition on x_1..x_t alone.
Chained heads condition on x_1..x_{t+i-1}: their PPL_1:n follows from the chain rule, and their
PPL_n is a conditional one, which must not be compared with an independent head's.
"""

from __future__ import annotations

import numpy as np

TEMPERATURE = 0.7
TOP_K = 50


def perplexity(log_p: np.ndarray, n: int) -> float:
    """PPL_n = exp(-mean log p(x_{t+n}))."""
    return float(np.exp(-log_p[n - 1].mean()))


def joint_perplexity(log_p: np.ndarray, n: int) -> float:
    """PPL_1:n = exp(-(1/n) mean log p(x_{t+1:t+n}))."""
    return float(np.exp(-log_p[:n].sum(0).mean() / n))


def dynamic_perplexity(log_p: np.ndarray, orders: np.ndarray) -> float:
    """PPL_d = exp(-mean (1/n_t) log p(x_{t+1:t+n_t})), `orders` int [P] being n_t."""
    sums = log_p.cumsum(0)[orders - 1, np.arange(log_p.shape[1])]
    return float(np.exp(-(sums / orders).mean()))


def confidence(best_logits: np.ndarray) -> np.ndarray:
    """Probability of the likeliest token after temperature and top k, [...], from logits [..., k].

    The logits are a head's TOP_K largest, largest first.
    """
    scaled = (best_logits - best_logits[..., :1]) / TEMPERATURE
    return 1 / np.exp(scaled).sum(-1)


def orders(confidences: np.ndarray, epsilon: float) -> np.ndarray:
    """How many tokens the generation rule takes at every position, int [P].

    confidences [n, P]: of each head's likeliest token. The largest entry of the joint is their
    product: the joint of independent heads is an outer product, and a chain has its greedy path.
    The largest order whose joint has an entry of at least epsilon^(order - 1) is taken. This is the
    rule without co-occurrence mask and repetition penalty; thresholds never drop the largest entry.
    """
    most = len(confidences)
    if epsilon >= 1 or epsilon <= 0:
        return np.full(confidences.shape[1], 1 if epsilon >= 1 else most)
    joint = confidences.cumprod(0)
    found = np.ones(confidences.shape[1], np.int64)
    for order in range(2, most + 1):
        found[joint[order - 1] >= epsilon ** (order - 1)] = order
    return found


def walk(right: np.ndarray, start: int, last: int) -> tuple[int, int]:
    """Tokens and steps of exact mode along a text that the base wrote, positions start..last.

    right bool [n - 1, T]: whether head i's guess at position t is the token at t + i. A step at t,
    the last kept position, emits head 1's token and as many guesses as are right before the first
    wrong one. Steps that could look beyond `last` are left out.
    """
    accepted = right.cumprod(0).sum(0)
    at, steps = start - 1, 0
    while at + len(right) + 1 <= last:
        at += 1 + int(accepted[at])
        steps += 1
    return at - (start - 1), steps
