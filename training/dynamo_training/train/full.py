"""Training with nothing frozen: the paper's three learning rates.

Head 1's loss moves stem and head 1 at LR_B. The losses of heads 2..n move those heads at LR_M, and
what they share with the base (stem, embeddings, final norm) at LR_MB: their gradient is multiplied
by LR_MB / LR_B where it leaves the heads.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..model.base_model import BaseModel
from ..model.heads import TokenHeads
from .objective import ScaledGradient, cross_entropy, label_targets


class FullModel(nn.Module):
    """Base and heads as one module, whose forward gives their losses.

    Everything that a step needs happens within forward, so that it can be sharded (sharding.py).
    """

    def __init__(self, base: BaseModel, heads: TokenHeads, factor: float) -> None:
        """`factor`: LR_MB / LR_B."""
        super().__init__()
        self.base = base
        self.heads = heads
        self.factor = factor

    def forward(self, ids: Tensor, chosen: list[Tensor], counts: list[float]) -> list[Tensor]:
        """Losses of heads 1..n: sums over the chosen positions, divided by `counts`.

        ids [B, T]; `chosen` has each head's positions, indices into the flattened B*T.
        """
        base = self.base
        stem = base.stem(ids)
        later = self.heads(self._scaled(stem), self._scaled(base.embedding(ids)), chosen[1:])
        table = base.embedding.weight.to(working_type(ids.device, stem.dtype))
        losses = []
        for head, (places, count) in enumerate(zip(chosen, counts, strict=True), start=1):
            if head == 1:
                states, embedding = base.head1(stem).flatten(0, 1)[places], table
            else:
                states = self._norm(later[head - 2])
                embedding = self._scaled(table)
            targets = label_targets(ids.flatten()[places + head])
            losses.append(cross_entropy(states, embedding, targets, count))
        return losses

    def _norm(self, rows: Tensor) -> Tensor:
        """The base's final norm, its weight's gradient scaled."""
        norm = self.base.norm
        weight = self._scaled(norm.weight).to(rows.dtype)
        return nn.functional.rms_norm(rows, weight.shape, weight, norm.epsilon)

    def _scaled(self, values: Tensor) -> Tensor:
        return ScaledGradient.apply(values, self.factor)


def working_type(device: torch.device, otherwise: torch.dtype) -> torch.dtype:
    """The type that autocast gives matrix products here, where it is on."""
    on = torch.is_autocast_enabled(device.type)
    return torch.get_autocast_dtype(device.type) if on else otherwise
