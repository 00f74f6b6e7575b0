"""Command line of the training package.

    python -m dynamo_training graphs [--models DIR] [--check]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from .bases import BASES
from .export.probe import build_probe
from .export.trunk import build_trunk

PRECISIONS = ("int8", "fp32")
SUITE = Path(__file__).resolve().parents[2] / "models"


def graphs(models: Path, check: bool) -> int:
    """Writes all graphs and every base's plans, or compares them with what is there."""
    stale = []
    for name, content in suite_files():
        path = models / name
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            print(f"{name}: {len(content):,} bytes")
        elif not path.exists() or path.read_bytes() != content:
            stale.append(name)
    for name in stale:
        print(f"{name} is not what the exporter makes: run `python -m dynamo_training graphs`")
    return 1 if stale else 0


def suite_files() -> Iterator[tuple[str, bytes]]:
    """Name below models/ and content of each file that the exporter makes."""
    yield "saturation-probe.onnx", build_probe().SerializeToString(deterministic=True)
    for base in BASES.values():
        for precision in PRECISIONS:
            graph, plan = build_trunk(base, precision)
            yield f"{base.id}/trunk-{precision}.onnx", graph.SerializeToString(deterministic=True)
            yield f"{base.id}/plan-{precision}.json", plan.to_json().encode()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="dynamo_training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("graphs", help="write the graphs and weight plans of models/")
    command.add_argument("--models", type=Path, default=SUITE)
    command.add_argument("--check", action="store_true", help="only compare; exit 1 if stale")
    options = parser.parse_args(arguments)
    return graphs(options.models, options.check)


if __name__ == "__main__":
    sys.exit(main())
