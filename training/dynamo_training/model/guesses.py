"""What the heads of a model guess: the parts that training and measuring share."""

from __future__ import annotations

import torch
from torch import Tensor

from .base_model import BaseModel
from .heads import TokenHeads


def head_states(
    model: BaseModel, heads: TokenHeads, ids: Tensor, stem: Tensor | None = None
) -> list[Tensor]:
    """Normed states of heads 2..n, [B, T, H] each, for token ids [B, T]; see TokenHeads.forward."""
    stem = model.stem(ids) if stem is None else stem
    return [model.norm(state) for state in heads(stem, model.embedding(ids))]


def best_tokens(states: Tensor, embedding: Tensor, shortlist: Tensor) -> Tensor:
    """The likeliest token at each place, int64 [B, T], for normed states [B, T, H].

    embedding [S, H] has the rows of the tokens `shortlist`, int64 [S].
    """
    rows = states.to(embedding.dtype)
    return shortlist[torch.stack([(row @ embedding.T).argmax(-1) for row in rows])]
