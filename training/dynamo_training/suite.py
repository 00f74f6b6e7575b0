"""Where the model suite is: one folder a base, with graphs, plans, heads and tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SUITE = Path(__file__).resolve().parents[2] / "models"


def heads_files(folder: Path) -> dict[str, Path]:
    """The trained heads in a base's folder, by `heads-NAME`.

    A file may have an edition behind its name, `heads-shared_2.safetensors`: git keeps every file
    that was ever there, so one is not written over again and again.

    Raises ValueError for two editions of one name.
    """
    files: dict[str, Path] = {}
    for path in sorted(folder.glob("heads-*.safetensors")):
        name = heads_name(path.stem)
        if name in files:
            raise ValueError(f"{folder} has two editions of {name}, {files[name].name} and {path.name}: keep one")
        files[name] = path
    return files


def heads_name(stem: str) -> str:
    """`heads-NAME` of a file's name, without its edition."""
    return stem.split("_")[0]


def starts(record: dict[str, Any]) -> list[dict[str, Any]]:
    """What heads with this record began from, file's hash and record, and that again, latest first."""
    start = record.get("start")
    return [] if start is None else [start, *starts(start["record"])]
