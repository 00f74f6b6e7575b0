"""What a run's heads begin with: copies of the base's last layers, random weights, or heads of the
suite that learn on."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..export.pack import read_record, unpack
from ..model.base_model import BaseModel
from ..model.heads import STARTS, TokenHeads
from ..suite import SUITE, heads_files
from .config import TrainConfig


def suite_file(config: TrainConfig, suite: Path = SUITE) -> Path | None:
    """The file of trained heads that the configuration starts from, or None where it draws or
    copies its first weights."""
    if config.start in STARTS:
        return None
    folder = suite / config.base_id
    return heads_files(folder).get(config.start, folder / f"{config.start}.safetensors")


def first_heads(config: TrainConfig, model: BaseModel, suite: Path = SUITE) -> TokenHeads:
    """Heads of the configuration with their first weights.

    Raises FileNotFoundError where the suite has no such heads, and ValueError where they are of
    another kind. Their shortlist does not matter: the output embedding is the base's.
    """
    file = suite_file(config, suite)
    if file is None:
        heads = TokenHeads(model.base, config.heads)
        heads.initialise(model, config.start, config.seed)
        return heads
    if not file.is_file():
        raise FileNotFoundError(f"{file}: start is one of {', '.join(STARTS)} or heads of the suite")
    heads, _ = unpack(file, model.base)
    if heads.config != config.heads:
        raise ValueError(f"{file} holds heads of {heads.config}, not {config.heads}")
    return heads


def provenance(config: TrainConfig, suite: Path = SUITE) -> dict[str, object]:
    """What a record says of trained heads that the run started from: their file's hash and their
    own record. Empty for other starts."""
    file = suite_file(config, suite)
    if file is None:
        return {}
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    return {"start": {"sha256": sha256, "record": read_record(file, config.base)}}
