"""What heads cost beside their base: parameters, and arithmetic a token."""

from __future__ import annotations

from dataclasses import dataclass

from ..bases import Base
from ..model.heads import HeadsConfig


CONTEXT = 512  # positions that attention looks at, for the shares of `overhead`


@dataclass(frozen=True)
class Cost:
    parameters: int
    flops: int
    """Floating-point operations a token: two for each weight of a matrix that a row meets, and
    those of attention over the context."""


def base_cost(base: Base, context: int) -> Cost:
    """The base with head 1; the embedding counts once, for it serves both ends."""
    parameters, flops = _layer(base, context)
    embedding = base.vocabulary * base.hidden
    return Cost(
        base.layers * parameters + embedding + base.hidden, base.layers * flops + 2 * embedding
    )


def heads_cost(base: Base, config: HeadsConfig, shortlist: int, context: int) -> Cost:
    """Heads 2..n. A step runs them once; the embedding's rows of the shortlist are the base's."""
    parameters, flops = _layer(base, context)
    fusion = 2 * base.hidden * base.hidden if config.kind != "independent" else 0
    norms = 2 * base.hidden if config.kind != "independent" else 0
    stored = 1 if config.kind == "shared" else config.tokens - 1
    head_flops = config.layers * flops + 2 * fusion + 2 * shortlist * base.hidden
    return Cost(
        stored * (config.layers * parameters + fusion + norms), (config.tokens - 1) * head_flops
    )


def overhead(base: Base, config: HeadsConfig, shortlist: int) -> tuple[float, float]:
    """What heads 2..n add to the base, as shares of its parameters and of a token's arithmetic."""
    whole, more = base_cost(base, CONTEXT), heads_cost(base, config, shortlist, CONTEXT)
    return more.parameters / whole.parameters, more.flops / whole.flops


def _layer(base: Base, context: int) -> tuple[int, int]:
    """Parameters of a decoder layer, and its operations a token."""
    width, narrow = base.heads * base.head_size, base.kv_heads * base.head_size
    matrices = 2 * base.hidden * (width + narrow) + 3 * base.hidden * base.ffn
    biases = (width + 2 * narrow) * base.qkv_bias
    return matrices + biases + 2 * base.hidden, 2 * matrices + 4 * context * width
