"""One decoder layer of the llama family, as the bases and the token heads use it.

Shapes: B sequences of T positions, H hidden, A query heads, G key/value heads, D head size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..bases import Base


class RMSNorm(nn.Module):
    """x / rms(x) * weight, the mean square in float32 (Zhang and Sennrich 2019)."""

    def __init__(self, size: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.epsilon = epsilon

    def forward(self, rows: Tensor) -> Tensor:
        weight = self.weight.to(rows.dtype)
        return functional.rms_norm(rows, weight.shape, weight, self.epsilon)


def rotary_tables(base: Base, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines, float32 [T, D], for positions [T]; both halves of a head share angles."""
    exponents = torch.arange(0, base.head_size, 2, device=positions.device).float()
    frequencies = base.rope_base ** (-exponents / base.head_size)
    angles = positions.float()[:, None] * frequencies
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos(), angles.sin()


def rotate(states: Tensor, tables: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary position embedding of [B, heads, T, D] (Su et al. 2021, `rotate half` convention)."""
    cos, sin = (table.to(states.dtype) for table in tables)
    first, second = states.chunk(2, dim=-1)
    return states * cos + torch.cat((-second, first), dim=-1) * sin


class Attention(nn.Module):
    """Causal self-attention with grouped key/value heads."""

    def __init__(self, base: Base) -> None:
        super().__init__()
        self.base = base
        narrow = base.kv_heads * base.head_size
        self.q = nn.Linear(base.hidden, base.heads * base.head_size, bias=base.qkv_bias)
        self.k = nn.Linear(base.hidden, narrow, bias=base.qkv_bias)
        self.v = nn.Linear(base.hidden, narrow, bias=base.qkv_bias)
        self.output = nn.Linear(base.heads * base.head_size, base.hidden, bias=False)

    def project(
        self, rows: Tensor, tables: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries [B, A, T, D], keys and values [B, G, T, D]; positions are in queries and keys."""
        batch, length, _ = rows.shape
        size = self.base.head_size
        query, key, value = (
            projection(rows).view(batch, length, -1, size).transpose(1, 2)
            for projection in (self.q, self.k, self.v)
        )
        return rotate(query, tables), rotate(key, tables), value

    def forward(self, rows: Tensor, tables: tuple[Tensor, Tensor]) -> Tensor:
        query, key, value = self.project(rows, tables)
        return self.mix(query, key, value, None)

    def mix(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        """Attends; causally unless a mask (True: may look) says otherwise. Returns [B, T, H]."""
        groups = self.base.heads // self.base.kv_heads
        key, value = (part.repeat_interleave(groups, dim=1) for part in (key, value))
        mixed = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=mask is None
        )
        return self.output(mixed.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """down(SiLU(gate(x)) * up(x))."""

    def __init__(self, base: Base) -> None:
        super().__init__()
        self.gate = nn.Linear(base.hidden, base.ffn, bias=False)
        self.up = nn.Linear(base.hidden, base.ffn, bias=False)
        self.down = nn.Linear(base.ffn, base.hidden, bias=False)

    def forward(self, rows: Tensor) -> Tensor:
        return self.down(functional.silu(self.gate(rows)) * self.up(rows))


class DecoderLayer(nn.Module):
    """Attention and feed-forward, each behind its norm, added to the residual stream."""

    def __init__(self, base: Base) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(base.hidden, base.norm_epsilon)
        self.attention = Attention(base)
        self.ffn_norm = RMSNorm(base.hidden, base.norm_epsilon)
        self.ffn = FeedForward(base)

    def forward(self, rows: Tensor, tables: tuple[Tensor, Tensor]) -> Tensor:
        rows = rows + self.attention(self.attention_norm(rows), tables)
        return rows + self.ffn(self.ffn_norm(rows))


# Names within a layer, and those of the GGUF tensors they are read from.
LAYER_TENSORS = {
    "attention_norm.weight": "attn_norm.weight",
    "attention.q.weight": "attn_q.weight",
    "attention.k.weight": "attn_k.weight",
    "attention.v.weight": "attn_v.weight",
    "attention.q.bias": "attn_q.bias",
    "attention.k.bias": "attn_k.bias",
    "attention.v.bias": "attn_v.bias",
    "attention.output.weight": "attn_output.weight",
    "ffn_norm.weight": "ffn_norm.weight",
    "ffn.gate.weight": "ffn_gate.weight",
    "ffn.up.weight": "ffn_up.weight",
    "ffn.down.weight": "ffn_down.weight",
}
