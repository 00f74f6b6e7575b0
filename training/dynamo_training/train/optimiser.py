"""Optimisers and their schedule.

`adamw` is the paper's: AdamW (0.9, 0.95, 1e-8). `muon` steps the matrices of linear layers by their
orthogonalised momentum (muon.py) and leaves norms, biases and the embedding to AdamW. Both: cosine to
0 after 1 % of warm-up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from torch import nn

from .muon import WEIGHT_DECAY, Muon

WARM_UP = 0.01
BETAS = (0.9, 0.95)
EPSILON = 1e-8


def learning_rate_factor(progress: float) -> float:
    """Factor of the peak learning rate at a share of the run, 0..1."""
    if progress < WARM_UP:
        return progress / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - WARM_UP) / (1 - WARM_UP))))


class Optimisers:
    """One or two optimisers that step together."""

    def __init__(
        self,
        groups: Iterable[tuple[nn.Module, float]],
        kind: str,
        products: torch.dtype = torch.float32,
    ) -> None:
        """`groups`: modules with their peak learning rates; `products`: muon's matrix products."""
        if kind not in ("adamw", "muon"):
            raise ValueError(f"unknown optimiser {kind!r}: adamw or muon")
        adam: list[dict[str, object]] = []
        muon: list[dict[str, object]] = []
        for module, rate in groups:
            linear = [part.weight for part in module.modules() if isinstance(part, nn.Linear)]
            matrices = linear if kind == "muon" else []
            apart = {id(matrix) for matrix in matrices}
            others = [p for p in module.parameters() if id(p) not in apart]
            if matrices:
                muon.append({"params": matrices, "lr": rate, "peak": rate})
            if others:
                adam.append({"params": others, "lr": rate, "peak": rate})
        self.all: list[torch.optim.Optimizer] = []
        if adam:
            self.all.append(
                torch.optim.AdamW(adam, betas=BETAS, eps=EPSILON, weight_decay=WEIGHT_DECAY)
            )
        if muon:
            self.all.append(Muon(muon, products))

    def step(self, progress: float) -> None:
        """Updates all parameters at a share of the run, and forgets their gradients."""
        factor = learning_rate_factor(progress)
        for group in self.groups():
            group["lr"] = group["peak"] * factor
        for optimiser in self.all:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)

    def parameters(self) -> list[nn.Parameter]:
        return [parameter for group in self.groups() for parameter in group["params"]]

    def groups(self) -> Iterator[dict[str, object]]:
        for optimiser in self.all:
            yield from optimiser.param_groups

    def state_dict(self) -> list[dict[str, object]]:
        return [optimiser.state_dict() for optimiser in self.all]
