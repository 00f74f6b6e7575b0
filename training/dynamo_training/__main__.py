"""Command line of the training package: `python -m dynamo_training COMMAND --help`.

Each room of the package adds its own commands and imports what they need when they run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from .bases import BASES
from .data import cooccurrence, corpus
from .export.heads import build_heads
from .export.layers import PRECISIONS
from .export.pack import describe_heads
from .export.probe import build_probe
from .export.trunk import build_trunk
from .measure import commands as measuring
from .suite import SUITE, heads_files
from .train import commands as training


def graphs(models: Path, check: bool) -> int:
    """Writes all graphs and every base's plans, or compares them with what is there."""
    stale = []
    for name, content in suite_files(models):
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


def suite_files(models: Path) -> Iterator[tuple[str, bytes]]:
    """Name below models/ and content of each file that the exporter makes; heads graphs for the
    trained heads that are there."""
    yield "saturation-probe.onnx", build_probe().SerializeToString(deterministic=True)
    for base in BASES.values():
        for precision in PRECISIONS:
            graph, plan = build_trunk(base, precision)
            yield f"{base.id}/trunk-{precision}.onnx", graph.SerializeToString(deterministic=True)
            yield f"{base.id}/plan-{precision}.json", plan.to_json().encode()
            for heads, trained in heads_files(models / base.id).items():
                spec, file = describe_heads(trained, base)
                graph, own = build_heads(base, precision, spec, plan, file)
                name = f"{base.id}/{heads}-{precision}.onnx"
                yield name, graph.SerializeToString(deterministic=True)
                yield f"{base.id}/{heads}-plan-{precision}.json", own.to_json().encode()


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("graphs", help="write the graphs and weight plans of models/")
    command.add_argument("--models", type=Path, default=SUITE)
    command.add_argument("--check", action="store_true", help="only compare; exit 1 if stale")
    command.set_defaults(run=lambda options: graphs(options.models, options.check))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="dynamo_training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for room in (corpus, cooccurrence, training, measuring):
        room.add_commands(commands)
    add_commands(commands)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except (ValueError, ArithmeticError, FileNotFoundError) as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
