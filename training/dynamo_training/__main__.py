"""Command line of the training package.

    python -m dynamo_training graphs [--models DIR] [--check]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .bases import BASES
from .export.trunk import build_trunk

PRECISIONS = ("int8", "fp32")
SUITE = Path(__file__).resolve().parents[2] / "models"


def graphs(models: Path, check: bool) -> int:
    """Writes every base's trunk graphs and plans, or compares them with what is there."""
    stale = []
    for base in BASES.values():
        directory = models / base.id
        directory.mkdir(parents=True, exist_ok=True)
        for precision in PRECISIONS:
            graph, plan = build_trunk(base, precision)
            files = {
                directory / f"trunk-{precision}.onnx": graph.SerializeToString(deterministic=True),
                directory / f"plan-{precision}.json": plan.to_json().encode(),
            }
            for path, content in files.items():
                if not check:
                    path.write_bytes(content)
                    print(f"{path.relative_to(models)}: {len(content):,} bytes")
                elif not path.exists() or path.read_bytes() != content:
                    stale.append(path.relative_to(models))
    for path in stale:
        print(f"{path} is not what the exporter makes: run `python -m dynamo_training graphs`")
    return 1 if stale else 0


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
