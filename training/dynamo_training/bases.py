"""The base models: their dimensions and how their GGUF files name tensors.

Dimensions are those of the published configurations; the weight plan names every tensor that a
graph needs, so an installer that meets a file of another shape refuses it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Base:
    """A decoder-only transformer of the llama family (RMSNorm, rotary positions, gated SiLU)."""

    id: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    ffn: int
    vocabulary: int
    rope_base: float
    norm_epsilon: float
    qkv_bias: bool
    """Biases on the query, key and value projections (qwen2)."""
    permuted_rope: bool
    """Query and key rows are stored for interleaved rotary positions (GGUF files of llama)."""
    output_tensor: str
    """The GGUF tensor that holds the output embedding; it serves as input embedding too."""
    activation_bits: int
    """Precision of int8 graphs' activations where they are rounded by row. 8: one int8 row each. 15:
    two, see layers.py."""
    block: int = 0
    """Values of the layers' matrices that share a scale and an offset and take 4 bits each in int8
    graphs, as a Q4_1 file has them; 0: int8 by output channel."""

    head_block: int = 0
    """The same of matrices that meet a single row in int8 graphs of token heads (export/heads.py)."""

    @property
    def head_size(self) -> int:
        return self.hidden // self.heads


BASES = {
    base.id: base
    for base in (
        Base(
            id="smollm2-135m",
            layers=30,
            hidden=576,
            heads=9,
            kv_heads=3,
            ffn=1536,
            vocabulary=49_152,
            rope_base=1e5,
            norm_epsilon=1e-5,
            qkv_bias=False,
            permuted_rope=True,
            output_tensor="token_embd.weight",
            activation_bits=15,
            block=32,
        ),
        Base(
            id="qwen2.5-coder-0.5b",
            layers=24,
            hidden=896,
            heads=14,
            kv_heads=2,
            ffn=4864,
            vocabulary=151_936,
            rope_base=1e6,
            norm_epsilon=1e-6,
            qkv_bias=True,
            permuted_rope=False,
            output_tensor="output.weight",
            activation_bits=8,
            head_block=32,
        ),
        Base(
            id="qwen2.5-coder-1.5b",
            layers=28,
            hidden=1536,
            heads=12,
            kv_heads=2,
            ffn=8960,
            vocabulary=151_936,
            rope_base=1e6,
            norm_epsilon=1e-6,
            qkv_bias=True,
            permuted_rope=False,
            output_tensor="output.weight",
            activation_bits=8,
        ),
    )
}
