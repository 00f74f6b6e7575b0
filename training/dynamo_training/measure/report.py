"""One Markdown table of several runs: model, heads, training, measures."""

from __future__ import annotations

import json
from pathlib import Path

from ..train.config import TrainConfig
from ..train.curves import read_log
from .overhead import overhead


def report(folders: list[Path]) -> str:
    """The table, a row a run. What was not measured is left empty."""
    rows = [row(folder) for folder in folders]
    columns = list(dict.fromkeys(name for entries in rows for name in entries))
    lines = [columns, ["---"] * len(columns)]
    lines += [[entries.get(name, "") for name in columns] for entries in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def row(folder: Path) -> dict[str, str]:
    """A run's cells by column."""
    config = TrainConfig.read(folder / "config.json")
    base, heads = config.base, config.heads
    log = read_log(folder)
    if not log:
        raise ValueError(f"{folder}: log.jsonl is empty, the run has not got far enough")
    path = folder / "measures.json"
    measures = json.loads(path.read_text()) if path.is_file() else {}
    parameters, flops = overhead(base, heads, min(config.shortlist, base.vocabulary))
    data = folder / "data.json"
    start = json.loads(data.read_text()).get("start") if data.is_file() else None
    before = f" after {start['record']['tokensSeen']:,}" if start else ""
    cells = {
        "model": f"{base.id} T{heads.tokens}{'' if config.learns_base else '-H'}",
        "heads": heads.kind if heads.layers == 1 else f"{heads.kind}, {heads.layers} layers",
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
