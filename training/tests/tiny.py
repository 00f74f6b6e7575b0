"""A base of a few thousand weights, and caches of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from dynamo_training.bases import Base
from dynamo_training.model.base_model import BaseModel
from dynamo_training.model.heads import HeadsConfig, TokenHeads
from dynamo_training.train.cache import Cache, fill
from dynamo_training.train.config import TrainConfig

BASE = Base(
    id="tiny",
    layers=3,
    hidden=16,
    heads=4,
    kv_heads=2,
    ffn=24,
    vocabulary=40,
    rope_base=1e4,
    norm_epsilon=1e-6,
    qkv_bias=True,
    permuted_rope=False,
    output_tensor="output.weight",
    activation_bits=8,
)
LENGTH = 24

torch.set_num_threads(1)  # nothing here is worth a second one, and waiting for it costs


def base_model(base: Base = BASE, seed: int = 0) -> BaseModel:
    """Random weights, frozen; layers so strong that greedy text does not repeat its last token."""
    torch.manual_seed(seed)
    model = BaseModel(base).requires_grad_(False)
    torch.nn.init.normal_(model.embedding.weight, std=0.3)
    for parameter in model.layers.parameters():
        if parameter.dim() == 2:
            torch.nn.init.normal_(parameter, std=1.5 / parameter.shape[1] ** 0.5)
    return model


def token_heads(config: HeadsConfig, base: Base = BASE, seed: int = 0) -> TokenHeads:
    """Random weights, fusions included, so that what a head sees makes a difference."""
    torch.manual_seed(seed)
    heads = TokenHeads(base, config).requires_grad_(False)
    for head in heads.heads:
        if head.fusion is not None:
            torch.nn.init.normal_(head.fusion.mix.weight, std=0.3)
    return heads


def random_rows(base: Base = BASE, seed: int = 0, length: int = LENGTH) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    while True:
        yield rng.integers(0, base.vocabulary, length, dtype=np.int32)


def make_cache(folder: Path, model: BaseModel, parts: int = 1, **meta: object) -> Cache:
    entries = {"base": model.base.id, "length": LENGTH, "exact": True} | meta
    cache = Cache.create(folder, entries, np.arange(model.base.vocabulary, dtype=np.int32))
    fill(cache, model, random_rows(model.base), parts, lambda _: None)
    return cache


def train_config(kind: str = "shared", **entries: object) -> TrainConfig:
    heads = HeadsConfig(kind, tokens=3)
    settings = {"tokens": 1200, "shortlist": BASE.vocabulary, "rate_heads": 3e-3} | entries
    return TrainConfig("tiny", heads, **settings)
