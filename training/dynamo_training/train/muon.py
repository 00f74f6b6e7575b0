"""Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon): matrices step by their momentum, made
orthogonal.

The same steps as torch.optim.Muon's, which multiplies in bfloat16 on every machine. Here the type is
the caller's: a processor that emulates bfloat16 spends ten times as long on them (precision.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

MOMENTUM = 0.95
WEIGHT_DECAY = 0.01
ITERATIONS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # Jordan's quintic


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, decoupled weight decay; steps as large as AdamW's (arXiv 2502.16982)."""

    def __init__(self, groups: Iterable[dict[str, object]], products: torch.dtype) -> None:
        """`groups`: `params`, all matrices, and `lr`. `products`: the type of matrix products."""
        super().__init__(groups, {})
        self.products = products

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            rate = group["lr"]
            for weight in group["params"]:
                slope = weight.grad
                if slope is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(slope)
                momentum = state["momentum_buffer"].lerp_(slope, 1 - MOMENTUM)
                update = orthogonal(slope.lerp(momentum, MOMENTUM), self.products)
                weight.mul_(1 - rate * WEIGHT_DECAY)
                weight.add_(update, alpha=-rate * 0.2 * math.sqrt(max(weight.shape)))


def orthogonal(matrix: Tensor, products: torch.dtype) -> Tensor:
    """About U V^T of a matrix U S V^T: its singular values are brought to 0.7 .. 1.2.

    Newton-Schulz iteration, after division by the Frobenius norm; the result is of type `products`.
    """
    linear, cubic, quintic = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    rows = (matrix.T if tall else matrix).to(products)
    rows = rows / rows.norm().clamp(min=1e-7)
    for _ in range(ITERATIONS):
        gram = rows @ rows.T
        rows = torch.addmm(
            rows, torch.addmm(gram, gram, gram, beta=cubic, alpha=quintic), rows, beta=linear
        )
    return rows.T if tall else rows
