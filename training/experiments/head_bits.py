"""What 4 bits cost the heads: accepted length of exact mode with the suite's heads as their files have them,
and with what a step's last row alone is multiplied by (output of the attention, feed-forward, proposals) in 4
bits, a scale and an offset for every block of a row.

    python training/experiments/head_bits.py --base qwen2.5-coder-0.5b --gguf FILE --written CACHE
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "training"), str(ROOT / "training/tests")]

from runner import in_16_steps  # noqa: E402

from dynamo_training.bases import BASES  # noqa: E402
from dynamo_training.export.pack import unpack  # noqa: E402
from dynamo_training.measure.evaluate import Model, accepted_length  # noqa: E402
from dynamo_training.model.base_model import BaseModel  # noqa: E402
from dynamo_training.suite import SUITE, heads_files  # noqa: E402
from dynamo_training.train.cache import Cache  # noqa: E402

OF_ONE_ROW = ("attention.output.weight", "gate.weight", "up.weight", "down.weight")


def rounded(weight: Tensor, block: int) -> Tensor:
    """A matrix [out, in] as its 4-bit blocks hold it."""
    return torch.from_numpy(in_16_steps(weight.numpy(), block))


@dataclass
class Rounded(Model):
    """Proposes from a rounded output embedding."""

    block: int | None = None

    def proposals(self) -> Tensor:
        rows = super().proposals()
        return rows if self.block is None else rounded(rows, self.block)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", choices=BASES, required=True)
    parser.add_argument("--gguf", type=Path, required=True)
    parser.add_argument("--written", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=128)
    parser.add_argument("--blocks", type=int, nargs="+", default=[32, 64])
    options = parser.parse_args()
    base, written = BASES[options.base], Cache(options.written)
    model = BaseModel.from_gguf(options.gguf, base, torch.float32)
    for name, file in heads_files(SUITE / base.id).items():
        heads, packed = unpack(file, base)
        own = {key: value.clone() for key, value in heads.state_dict().items()}
        shortlist = torch.from_numpy(packed.shortlist).long()

        def accepted(block: int | None) -> float:
            state = {
                key: rounded(value, block) if block and key.endswith(OF_ONE_ROW) else value
                for key, value in own.items()
            }
            heads.load_state_dict(state)
            measured = Rounded(model, heads, shortlist, block=block)
            return float(accepted_length(measured, written, options.rows)["accepted"])

        whole = accepted(None)
        print(f"{name:20} as in its file         {whole:.4f}", flush=True)
        for block in options.blocks:
            value = accepted(block)
            share = f"{value:.4f}  {value / whole:.2%}"
            print(f"{name:20} 4 bits, blocks of {block:<4} {share}", flush=True)


if __name__ == "__main__":
    main()
