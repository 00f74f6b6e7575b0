"""A base model in NumPy, written from the architecture alone: the oracle for the trunk graphs.

It attends over the whole sequence at once, in float64, and shares no code with the exporter.
"""

from __future__ import annotations

import numpy as np

from dynamo_training.bases import Base

Weights = dict[str, np.ndarray]


def random_weights(base: Base, seed: int) -> Weights:
    """Weights by the names that the exporter gives its initializers; matrices are [K, N]."""
    rng = np.random.default_rng(seed)

    def matrix(rows: int, columns: int) -> np.ndarray:
        return (rng.standard_normal((rows, columns)) / np.sqrt(rows)).astype(np.float32)

    def vector(size: int, mean: float) -> np.ndarray:
        return (mean + 0.1 * rng.standard_normal(size)).astype(np.float32)

    heads = (base.heads + 2 * base.kv_heads) * base.head_size
    width = base.heads * base.head_size
    embedding = rng.standard_normal((base.vocabulary, base.hidden)).astype(np.float32)
    weights = {
        "embedding": embedding,
        "output_embedding": np.ascontiguousarray(embedding.T),
        "first_pass.weight": embedding,
        "output_norm.weight": vector(base.hidden, 1),
    }
    for layer in range(base.layers):
        prefix = f"l{layer}."
        weights |= {
            f"{prefix}attn_norm.weight": vector(base.hidden, 1),
            f"{prefix}ffn_norm.weight": vector(base.hidden, 1),
            f"{prefix}qkv": matrix(base.hidden, heads),
            f"{prefix}attn_output": matrix(width, base.hidden),
            f"{prefix}ffn_gate": matrix(base.hidden, base.ffn),
            f"{prefix}ffn_up": matrix(base.hidden, base.ffn),
            f"{prefix}ffn_down": matrix(base.ffn, base.hidden),
        }
        if base.qkv_bias:
            weights[f"{prefix}qkv.bias"] = vector(heads, 0)
    return weights


def forward(base: Base, weights: Weights, ids: np.ndarray) -> dict[str, np.ndarray]:
    """Logits [n, vocabulary], stem [n, hidden], keys and values [layers, n, kv_heads, head_size]."""
    size, group = base.head_size, base.heads // base.kv_heads
    n = len(ids)
    angles = np.arange(n)[:, None] * base.rope_base ** (-np.arange(0, size, 2) / size)
    causal = np.triu(np.full((n, n), -np.inf), k=1)
    x = weights["embedding"][ids].astype(np.float64)
    keys, values = [], []
    stem = x
    for layer in range(base.layers):
        stem = x
        joined = _norm(base, x, weights[f"l{layer}.attn_norm.weight"]) @ weights[f"l{layer}.qkv"]
        if base.qkv_bias:
            joined = joined + weights[f"l{layer}.qkv.bias"]
        parts = joined.reshape(n, base.heads + 2 * base.kv_heads, size)
        query = _rotate(parts[:, : base.heads], angles)
        key = _rotate(parts[:, base.heads : base.heads + base.kv_heads], angles)
        value = parts[:, base.heads + base.kv_heads :]
        keys.append(key)
        values.append(value)
        mixed = np.empty_like(query)
        for head in range(base.heads):
            scores = query[:, head] @ key[:, head // group].T / np.sqrt(size) + causal
            share = np.exp(scores - scores.max(axis=1, keepdims=True))
            share /= share.sum(axis=1, keepdims=True)
            mixed[:, head] = share @ value[:, head // group]
        x = x + mixed.reshape(n, -1) @ weights[f"l{layer}.attn_output"]
        normed = _norm(base, x, weights[f"l{layer}.ffn_norm.weight"])
        gate = normed @ weights[f"l{layer}.ffn_gate"]
        up = normed @ weights[f"l{layer}.ffn_up"]
        x = x + (gate / (1 + np.exp(-gate)) * up) @ weights[f"l{layer}.ffn_down"]
    logits = _norm(base, x, weights["output_norm.weight"]) @ weights["output_embedding"]
    return {"logits": logits, "stem": stem, "keys": np.array(keys), "values": np.array(values)}


def _norm(base: Base, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + base.norm_epsilon) * weight


def _rotate(x: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Rotary positions on halves: pairs (j, j + head_size / 2)."""
    half = x.shape[-1] // 2
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)
