"""Checkpoints of a run: whole or not there, the last two kept.

    config.json             the run's configuration
    checkpoint-NNNNNNNN.pt  everything that the run goes on from, by step
"""

from __future__ import annotations

import os
from pathlib import Path

import torch

KEPT = 2


def save_checkpoint(folder: Path, state: dict[str, object]) -> Path:
    """Writes Trainer.state() and removes all checkpoints but the last KEPT."""
    path = folder / f"checkpoint-{state['step']:08}.pt"
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    for older in checkpoints(folder)[:-KEPT]:
        older.unlink()
    return path


def checkpoints(folder: Path) -> list[Path]:
    """Those of a folder, oldest first."""
    return sorted(folder.glob("checkpoint-*.pt"))


def read_checkpoint(path: Path) -> dict[str, object]:
    """The state in a checkpoint, or in the last one of a run's folder, on the CPU.

    Raises FileNotFoundError where there is none.
    """
    if path.is_dir():
        found = checkpoints(path)
        if not found:
            raise FileNotFoundError(f"{path} has no checkpoint; make one with the `train` command")
        path = found[-1]
    return torch.load(path, map_location="cpu", weights_only=True)


def products_of(folder: Path) -> str | None:
    """The type of matrix products of a run that has a checkpoint, `float32` say: another would not
    give the same run."""
    return str(read_checkpoint(folder)["products"]) if checkpoints(folder) else None
