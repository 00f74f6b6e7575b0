"""The loss of a head: cross entropy with the labels, or with the base's own distribution.

Plain: the target of head i at position t is the token x_{t+i} (modified causal-LM objective of
DynaMo, section 3.1). Distillation: it is the base's distribution at position t+i-1, given as its
likeliest tokens within a shortlist. Its mean over texts is the same, its variance smaller.

Logits exist only for one chunk of positions at a time, forward and backward: a chunk's gradient is
computed together with its loss.
"""

from __future__ import annotations

import torch
from torch import Tensor

CHUNK = 256  # positions


class ChunkedCrossEntropy(torch.autograd.Function):
    """1/count of the sum over positions of -sum_k p_k log softmax(states @ embedding.T)[place_k].

    states [P, H], embedding [S, H], places int64 [P, K], shares float [P, K] whose rows need not
    add up to 1: what is missing counts for nothing.
    """

    @staticmethod
    def forward(
        ctx, states: Tensor, embedding: Tensor, places: Tensor, shares: Tensor, count: float
    ) -> Tensor:
        slope_of_states = torch.empty_like(states)
        slope_of_embedding = None
        if ctx.needs_input_grad[1]:
            slope_of_embedding = torch.zeros(embedding.shape, device=embedding.device)
        total = torch.zeros((), device=states.device)
        for start in range(0, len(states), CHUNK):
            part = slice(start, min(start + CHUNK, len(states)))
            place, share = places[part], shares[part].float()
            mass = share.sum(-1, keepdim=True)
            logits = (states[part] @ embedding.T).float()
            wanted = (share * logits.gather(1, place)).sum()
            largest = logits.amax(-1, keepdim=True)
            slope = logits.sub_(largest).exp_()
            summed = slope.sum(-1, keepdim=True)
            total += (mass * (largest + summed.log())).sum() - wanted
            slope.mul_(mass / summed).scatter_add_(1, place, -share)
            slope = slope.to(embedding.dtype)
            slope_of_states[part] = (slope @ embedding) / count
            if slope_of_embedding is not None:
                slope_of_embedding += (slope.T @ states[part]) / count
        if slope_of_embedding is not None:
            slope_of_embedding = slope_of_embedding.to(embedding.dtype)
        ctx.save_for_backward(slope_of_states, slope_of_embedding)
        return total / count

    @staticmethod
    def backward(ctx, outer: Tensor) -> tuple[Tensor | None, ...]:
        states, embedding = ctx.saved_tensors
        slopes = (outer * states, None if embedding is None else outer * embedding)
        return *slopes, None, None, None


def cross_entropy(
    states: Tensor,
    embedding: Tensor,
    targets: tuple[Tensor, Tensor],
    count: float | None = None,
) -> Tensor:
    """See ChunkedCrossEntropy; `targets` are places and shares, and `count` is P if not given.

    Computed in the embedding's type, so in bf16 where that is bf16.
    """
    divisor = max(len(states), 1) if count is None else count
    return ChunkedCrossEntropy.apply(states.to(embedding.dtype), embedding, *targets, divisor)


def label_targets(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Token labels [P] as targets: all of the probability on one place."""
    return labels[:, None], torch.ones_like(labels[:, None], dtype=torch.float32)


class ScaledGradient(torch.autograd.Function):
    """The identity, whose gradient is multiplied by a factor."""

    @staticmethod
    def forward(ctx, values: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return values.view_as(values)

    @staticmethod
    def backward(ctx, outer: Tensor) -> tuple[Tensor, None]:
        return outer * ctx.factor, None
