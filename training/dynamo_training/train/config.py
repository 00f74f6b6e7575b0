"""What a training run is: read from a JSON file, kept in its checkpoints and records."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from ..bases import BASES, Base
from ..model.heads import HeadsConfig


@dataclass(frozen=True)
class TrainConfig:
    """A run. Learning rates are peaks; `optimiser` says whose."""

    base_id: str
    heads: HeadsConfig = field(default_factory=HeadsConfig)
    start: str = "last"
    """`last`: heads begin as copies of the base's last layers; `random`: drawn; else the name of
    heads in the suite's folder of the base, `heads-shared` say, that learn on."""
    target: str = "distil"
    """`distil`: the base's distribution; `labels`: the text's tokens."""
    optimiser: str = "muon"
    rate_heads: float = 1e-3
    """LR_M: heads 2..n."""
    rate_base: float = 0.0
    """LR_B: stem and head 1 under head 1's loss. 0 freezes them, and stems come from a cache."""
    rate_mixed: float = 0.0
    """LR_MB: weighs the gradient that heads 2..n send into the base. It counts LR_MB / LR_B times
    beside head 1's, because AdamW's steps do not grow with a gradient: only the mixture counts."""
    tokens: int = 1_000_000
    """Tokens seen in all, which is what the learning rates' schedule spans."""
    batch_rows: int = 4
    positions: float = 0.5
    """Share of positions that enter the loss of a batch, drawn anew each time."""
    shortlist: int = 32_768
    """Tokens that heads may propose, the most frequent ones."""
    seed: int = 1

    def __post_init__(self) -> None:
        if self.target not in ("distil", "labels"):
            raise ValueError(f"unknown target {self.target!r}: distil or labels")
        if self.rate_base > 0 and self.target != "labels":
            raise ValueError("training the base needs target `labels`: a moving teacher is none")
        if min(self.rate_heads, self.rate_base, self.rate_mixed) < 0:
            raise ValueError("learning rates must not be negative")
        if self.rate_mixed > 0 and self.rate_base == 0:
            raise ValueError("rate_mixed is a part of rate_base, which is 0: the base is frozen")
        if self.batch_rows < 1 or self.tokens < 1:
            raise ValueError("tokens and batch_rows must be at least 1")
        if not 0 < self.positions <= 1:
            raise ValueError(f"positions must lie above 0 and up to 1, not {self.positions}")

    @property
    def base(self) -> Base:
        """The base of bases.py that base_id names; raises ValueError where none does."""
        if self.base_id not in BASES:
            raise ValueError(f"unknown base {self.base_id!r}: one of {', '.join(BASES)}")
        return BASES[self.base_id]

    @property
    def learns_base(self) -> bool:
        return self.rate_base > 0

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    @staticmethod
    def from_json(entries: dict[str, object]) -> TrainConfig:
        """Raises ValueError for unknown, missing and wrong entries."""
        try:
            heads = HeadsConfig(**entries.get("heads", {}))
            return TrainConfig(**{**entries, "heads": heads})
        except TypeError as error:
            known = ", ".join(entry.name for entry in fields(TrainConfig))
            raise ValueError(f"configuration: {error}; entries are {known}") from error

    @staticmethod
    def read(path: Path) -> TrainConfig:
        """Raises ValueError, naming the file, where it is not a configuration."""
        try:
            return TrainConfig.from_json(json.loads(path.read_text(encoding="utf-8")))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
