"""One Markdown table of several runs: model, heads, training, measures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..suite import starts
from ..train.config import TrainConfig
from ..train.curves import read_log
from .overhead import overhead


def report(folders: list[Path]) -> str:
    """The table, a row for each time a run was measured. What was not measured is left empty."""
    rows = [cells for folder in folders for cells in rows_of(folder)]
    columns = list(dict.fromkeys(name for entries in rows for name in entries))
    lines = [columns, ["---"] * len(columns)]
    lines += [[entries.get(name, "") for name in columns] for entries in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def rows_of(folder: Path) -> list[dict[str, str]]:
    """A run's cells by column, for all its heads and for the first ones alone (measures-tN.json)."""
    files = sorted(folder.glob("measures*.json"))
    return [row(folder, json.loads(file.read_text())) for file in files] or [row(folder, {})]


def row(folder: Path, measures: dict[str, Any]) -> dict[str, str]:
    """The cells of a run with one file of measures."""
    config = TrainConfig.read(folder / "config.json")
    base = config.base
    heads = replace(config.heads, tokens=measures.get("tokens", config.heads.tokens))
    log = read_log(folder)
    if not log:
        raise ValueError(f"{folder}: log.jsonl is empty, the run has not got far enough")
    shortlist = measures.get("shortlist", min(config.shortlist, base.vocabulary))
    parameters, flops = overhead(base, heads, shortlist)
    data = folder / "data.json"
    earlier = starts(json.loads(data.read_text())) if data.is_file() else []
    seen = sum(start["record"]["tokensSeen"] for start in earlier)
    before = f" after {seen:,}" if seen else ""
    cells = {
        "model": f"{base.id} T{heads.tokens}{'' if config.learns_base else '-H'}",
        "heads": heads.kind if heads.layers == 1 else f"{heads.kind}, {heads.layers} layers",
        "shortlist": f"{shortlist:,}",
        "target": config.target,
        "parameters": f"+{parameters:.1%}",
        "FLOPs a token": f"+{flops:.1%}",
        "tokens seen": f"{log[-1]['tokens']:,}{before}",
        "seconds": f"{log[-1]['seconds']:,.0f}",
    }
    cells |= {f"PPL_{name}": f"{value:.2f}" for name, value in measures.get("ppl", {}).items()}
    for measure in ("accuracy", "agreement"):
        for head, share in measures.get(measure, {}).items():
            cells[f"{measure} {head}"] = f"{share:.1%}"
    if "accepted" in measures:
        cells["accepted length"] = f"{measures['accepted']:.3f}"
    return cells
