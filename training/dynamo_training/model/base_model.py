"""The base model in two parts: the stem (all layers but the last) and head 1 (the last layer).

`head1(stem(ids))` is the base model; nothing here knows of further heads.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..bases import Base
from ..gguf_file import read_weights
from .transformer import LAYER_TENSORS, DecoderLayer, RMSNorm, rotary_tables


class BaseModel(nn.Module):
    """A base of bases.py with tied embeddings."""

    def __init__(self, base: Base) -> None:
        super().__init__()
        self.base = base
        self.embedding = nn.Embedding(base.vocabulary, base.hidden)
        self.layers = nn.ModuleList(DecoderLayer(base) for _ in range(base.layers))
        self.norm = RMSNorm(base.hidden, base.norm_epsilon)

    def stem(self, ids: Tensor) -> Tensor:
        """What enters the last layer, [B, T, H], for token ids [B, T]."""
        tables = rotary_tables(self.base, torch.arange(ids.shape[1], device=ids.device))
        rows = self.embedding(ids)
        for layer in self.layers[:-1]:
            rows = layer(rows, tables)
        return rows

    def head1(self, stem: Tensor) -> Tensor:
        """Head 1's normed states [B, T, H]; `logits` of them are the base model's logits."""
        tables = rotary_tables(self.base, torch.arange(stem.shape[1], device=stem.device))
        return self.norm(self.layers[-1](stem, tables))

    def logits(self, states: Tensor) -> Tensor:
        """Output embedding of normed states: [..., vocabulary]."""
        return states @ self.embedding.weight.T

    @staticmethod
    def from_gguf(path: Path, base: Base, dtype: torch.dtype = torch.float32) -> BaseModel:
        """Reads the base from its GGUF file (see gguf_file.read_weights for the errors)."""
        with torch.device("meta"):
            model = BaseModel(base)
        model.load_state_dict(
            {
                name: torch.tensor(values, dtype=dtype)
                for name, values in state_of(read_weights(path, base), base).items()
            },
            assign=True,
        )
        return model.requires_grad_(False)


def state_of(weights: dict[str, np.ndarray], base: Base) -> dict[str, np.ndarray]:
    """The module's state from GGUF tensors by name."""
    state = {
        "embedding.weight": weights["token_embd.weight"],
        "norm.weight": weights["output_norm.weight"],
    }
    for layer in range(base.layers):
        for ours, theirs in LAYER_TENSORS.items():
            if base.qkv_bias or not ours.endswith("bias"):
                state[f"layers.{layer}.{ours}"] = weights[f"blk.{layer}.{theirs}"]
    return state
