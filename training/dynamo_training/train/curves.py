"""Draws a run's log: losses, agreement with the base, accepted length."""

from __future__ import annotations

import json
from pathlib import Path

from .config import TrainConfig


def read_log(folder: Path) -> list[dict[str, object]]:
    """Raises FileNotFoundError where the folder has none."""
    path = folder / "log.jsonl"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} has no log.jsonl: it is not a run of `train`")
    return [json.loads(line) for line in path.read_text().splitlines()]


def plot(folder: Path) -> Path:
    """Writes curves.png into a run's folder."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot, ticker

    log = read_log(folder)
    evaluated = [entry for entry in log if "agreement" in entry]
    figure, (left, middle, right) = pyplot.subplots(1, 3, figsize=(13, 4), layout="constrained")
    tokens = [entry["tokens"] for entry in log]
    first = 1 if TrainConfig.read(folder / "config.json").learns_base else 2
    columns = zip(*(entry["losses"] for entry in log), strict=True)
    for head, values in enumerate(columns, start=first):
        left.plot(tokens, values, label=f"head {head}")
    left.set_title("loss")
    tokens = [entry["tokens"] for entry in evaluated]
    columns = zip(*(entry["agreement"] for entry in evaluated), strict=True)
    for head, values in enumerate(columns, start=2):
        middle.plot(tokens, values, label=f"head {head}", marker=".")
    middle.set_title("agreement with the base, held-out")
    accepted = [(entry["tokens"], entry["accepted"]) for entry in evaluated if "accepted" in entry]
    right.plot(*zip(*accepted, strict=True) if accepted else ((), ()), marker=".")
    right.set_title("accepted length, held-out")
    for axes in (left, middle, right):
        axes.set_xlabel("tokens seen")
        axes.xaxis.set_major_formatter(ticker.EngFormatter(sep=""))
        axes.xaxis.set_major_locator(ticker.MaxNLocator(6))
        axes.grid(alpha=0.3)
    for axes in (left, middle):
        if axes.lines:
            axes.legend()
    path = folder / "curves.png"
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
    return path
