"""What a run of the heads graph takes with its single rows' matrices in int8 and in 4 bits, ms at two new rows
behind 300 (the suite's heads, a random embedding table).

    python training/experiments/head_times.py qwen2.5-coder-0.5b --threads 1
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "training"), str(ROOT / "training/tests")]

from runner import heads_values, open_session, quantise_channels, stored  # noqa: E402
from timing import taking_turns  # noqa: E402

from dynamo_training.bases import BASES, Base  # noqa: E402
from dynamo_training.export.heads import build_heads  # noqa: E402
from dynamo_training.export.layers import TOP_K  # noqa: E402
from dynamo_training.export.pack import PackedHeads, read_heads  # noqa: E402
from dynamo_training.export.trunk import build_trunk  # noqa: E402
from dynamo_training.suite import SUITE, heads_files  # noqa: E402

PAST, TAIL, ROWS = 256, 44, 2


def call_of(
    base: Base, packed: PackedHeads, table: np.ndarray, feeds: dict[str, Any], threads: int
) -> Callable[[], object]:
    model, plan = build_heads(base, "int8", packed.spec, build_trunk(base, "int8")[1])
    arrays = stored(plan, heads_values({"embedding": table}, packed.tensors, packed.shortlist))
    arrays["embedding"], arrays["embedding.scale"] = quantise_channels(table, 1)
    arrays["output_norm.weight"] = np.ones(base.hidden, np.float32)
    arrays |= {alias: arrays[name] for alias, name in plan.aliases.items()}
    return partial(open_session(model, arrays, threads).run, None, feeds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", choices=BASES)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=100)
    options = parser.parse_args()
    base, rng = BASES[options.base], np.random.default_rng(1)
    table = (0.02 * rng.standard_normal((base.vocabulary, base.hidden))).astype(np.float32)
    for name, file in heads_files(SUITE / base.id).items():
        packed = read_heads(file, base)
        feeds: dict[str, Any] = {
            "stem": rng.standard_normal((1, ROWS, base.hidden)).astype(np.float32),
            "position_ids": np.arange(PAST + TAIL, PAST + TAIL + ROWS, dtype=np.int32),
            "noise": np.zeros((packed.spec.applications, TOP_K), np.float32),
            "has_past": np.array([True]),
        }
        if packed.spec.kind != "independent":
            feeds["next_ids"] = packed.shortlist[:ROWS]
        for layer in range(packed.spec.cache_layers):
            for part in "kv":
                kept = rng.standard_normal((PAST, base.kv_heads, base.head_size)).astype(np.float32)
                feeds |= {f"past.{part}.{layer}": kept, f"tail.{part}.{layer}": kept[:TAIL]}
        calls = {
            "int8" if block == 0 else f"4 bits, blocks of {block}": call_of(
                replace(base, head_block=block), packed, table, feeds, options.threads
            )
            for block in (0, 32, 64)
        }
        for what, times in taking_turns(calls, options.repeats).items():
            print(f"{name:20} {what:24} median {np.median(times):.2f}  least {min(times):.2f}")


if __name__ == "__main__":
    main()
