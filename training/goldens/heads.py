"""Writes test/fixtures/heads/: a small heads graph of each kind with random weights inside, and what it
says behind several places of a text, one row a run.

The engine (src/engine/heads.ts) is to come to the same, however it gets there. fp32, so that neither
machine nor thread count matter.

    PYTHONPATH=training:training/tests python training/goldens/heads.py
"""

import base64
import json
from pathlib import Path

import numpy as np
from runner import Heads
from test_heads_graph import Case
from test_trunk import QWEN

TARGET = Path(__file__).parents[2] / "test" / "fixtures" / "heads"
PLACES = (0, 1, 60, 126, 127, 128, 129, 254, 255, 256, 270)
BEST = 5


def golden(kind: str) -> dict[str, object]:
    case = Case(QWEN, kind, tokens=3)
    rng = np.random.default_rng(2)
    length = PLACES[-1] + 1
    case.ids = rng.choice(case.shortlist, length + 1).tolist()
    case.stem = rng.standard_normal((length, QWEN.hidden)).astype(np.float32)
    expected = []
    heads = case.open("fp32")
    provisional = case.spec.provisional
    for place in range(length):
        start = max(0, place - provisional)
        heads.kv.rows = heads.kv.rows[:, :start]
        rows = slice(start, place + 1)
        outputs = heads.run(case.stem[rows], case.ids[start + 1 : place + 2])
        if place in PLACES:
            expected.append(
                {
                    "place": place,
                    "chosen": outputs["chosen"].tolist(),
                    "ids": outputs["top.ids"][0, :, :BEST].tolist(),
                    "logits": np.round(outputs["top.logits"][0, :, :BEST], 4).tolist(),
                    "normalizers": np.round(outputs["normalizer"][0, :, 0], 4).tolist(),
                }
            )
    (TARGET / f"{kind}.onnx").write_bytes(heads.model)
    return {
        "kind": kind,
        "depth": case.spec.applications,
        "provisional": provisional,
        "hidden": QWEN.hidden,
        "ids": case.ids,
        "stems": base64.b64encode(case.stem.tobytes()).decode(),
        "expected": expected,
    }


def main() -> None:
    TARGET.mkdir(exist_ok=True)
    goldens = [golden(kind) for kind in ("shared", "independent", "chained")]
    (TARGET / "goldens.json").write_text(json.dumps(goldens, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
