"""Reads what training needs from a base model's GGUF file: weights and tokenizer.

Weights come dequantised, in float32, under the file's own tensor names, query and key rows in the
order of the `rotate half` convention.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gguf import GGUFReader, dequantize
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from .bases import Base

# The split pattern of Qwen2's published tokenizer.
QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def read_weights(path: Path, base: Base) -> dict[str, np.ndarray]:
    """All tensors of the file, float32; the embedding is the one the product uses for both ends.

    Raises FileNotFoundError for a missing file and ValueError where it is not this base's.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not a file; give the base's GGUF with --gguf")
    weights = {
        tensor.name: np.asarray(dequantize(tensor.data, tensor.tensor_type), np.float32)
        for tensor in GGUFReader(path).tensors
    }
    embedding = weights.get(base.output_tensor)
    if embedding is None or embedding.shape != (base.vocabulary, base.hidden):
        raise ValueError(f"{path} does not hold {base.id}: no {base.output_tensor} of its shape")
    weights["token_embd.weight"] = embedding
    if base.permuted_rope:
        for layer in range(base.layers):
            for part, heads in (("q", base.heads), ("k", base.kv_heads)):
                name = f"blk.{layer}.attn_{part}.weight"
                weights[name] = unpermute(weights[name], heads)
    return weights


def unpermute(rows: np.ndarray, heads: int) -> np.ndarray:
    """Undoes llama.cpp's interleaving of the two halves of every head's output rows, [N, K]."""
    n, k = rows.shape
    return rows.reshape(heads, n // heads // 2, 2, k).swapaxes(1, 2).reshape(n, k)


def read_tokenizer(path: Path) -> tuple[Tokenizer, dict[str, int]]:
    """The byte-level BPE that the file's metadata describes, and the ids of its control tokens.

    Control tokens are left out of the tokenizer's special tokens: text never becomes one.
    """
    reader = GGUFReader(path)
    tokens: list[str] = reader.fields["tokenizer.ggml.tokens"].contents()
    types: list[int] = reader.fields["tokenizer.ggml.token_type"].contents()
    merges: list[str] = reader.fields["tokenizer.ggml.merges"].contents()
    flavour: str = reader.fields["tokenizer.ggml.pre"].contents()
    tokenizer = Tokenizer(
        models.BPE(
            vocab={token: index for index, token in enumerate(tokens)},
            merges=[tuple(merge.split(" ", 1)) for merge in merges],
        )
    )
    if flavour == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(QWEN2_SPLIT), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    elif flavour == "smollm":
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            ]
        )
    else:
        raise ValueError(f"unknown pre-tokenizer {flavour!r}; add it to read_tokenizer")
    tokenizer.decoder = decoders.ByteLevel()
    # Types of the GGUF specification: 3 control, 4 user defined. Qwen's files list the
    # fill-in-the-middle tokens under either, depending on the converter's age.
    control = {token: i for i, token in enumerate(tokens) if types[i] in (3, 4)}
    return tokenizer, control
