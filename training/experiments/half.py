"""How far an installed precision is from fp32 on the held-out windows: first choices that differ and how
close the best two were there, log-probabilities, stems.

On the CPU provider, which computes an fp16 graph's products in float32 and rounds what comes out. The
share of other choices says how often a text of n tokens stays the same: (1 - share) ** n.

    python training/experiments/half.py MODEL_FOLDER smollm2-135m fp16 int8
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "training"))

from dynamo_training.bases import BASES, Base  # noqa: E402

BLOCK, CANDIDATES = 128, 10
OUTPUTS = ["top.ids", "top.logits", "normalizer", "stem", "kv"]


def windows(base: Base) -> list[np.ndarray]:
    golden = json.loads((ROOT / f"test/fixtures/oracle/{base.id}.heldout.json").read_text())
    return [np.frombuffer(base64.b64decode(each["ids"]), np.int32) for each in golden["windows"]]


def open_session(graph: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    options.add_session_config_entry("session.x64quantprecision", "1")
    return onnxruntime.InferenceSession(str(graph), options)


def answers(base: Base, graph: Path, half: bool) -> list[np.ndarray]:
    """Ids, logits, normalisers and stems of every row of every window."""
    session, kind = open_session(graph), np.float16 if half else np.float32
    found: list[list[np.ndarray]] = []
    for ids in windows(base):
        shape = (base.kv_heads, base.head_size)
        cache = np.zeros((2 * base.layers, 0, *shape), kind)
        for at in range(0, len(ids), BLOCK):
            rows = ids[at : at + BLOCK]
            feeds = {
                "input_ids": rows,
                "position_ids": np.arange(at, at + len(rows), dtype=np.int32),
                "logit_rows": np.arange(len(rows), dtype=np.int32),
                "has_past": np.array([at > 0]),
            }
            for index, buffer in enumerate(cache):
                name = f"{'kv'[index % 2]}.{index // 2}"
                hidden = 0 if half or index % 2 else -1e30
                feeds[f"past.{name}"] = buffer if at else np.full((1, *shape), hidden, kind)
                feeds[f"tail.{name}"] = buffer[:0]
            *said, new = session.run(OUTPUTS, feeds)
            cache = np.concatenate([cache, new.reshape(2 * base.layers, -1, *shape)], axis=1)
            found.append([part[0] for part in said])
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


def compare(expected: list[np.ndarray], actual: list[np.ndarray]) -> str:
    ids, logits, normalizers, stems = expected
    other_ids, other_logits, other_normalizers, other_stems = actual
    differs = ids[:, 0] != other_ids[:, 0]
    gaps = (logits[:, 0] - logits[:, 1])[differs]
    logs, others = logits - normalizers, other_logits - other_normalizers
    distance = weight = 0.0
    for row in range(len(ids)):
        place = dict(zip(other_ids[row].tolist(), others[row], strict=True))
        for token, log in zip(ids[row, :CANDIDATES].tolist(), logs[row], strict=False):
            distance += np.exp(log) * abs(log - place.get(token, others[row, -1]))
            weight += np.exp(log)
    return (
        f"{len(ids)} rows; first choice differs in {differs.mean():.3%}, where the best two were "
        f"{gaps.max(initial=0):.4f} apart at most; log-probabilities {distance / weight:.5f} on "
        f"average; stems {np.abs(stems - other_stems).max() / np.abs(stems).max():.1e} of the largest"
    )


def main() -> None:
    folder, name, *precisions = sys.argv[1:]
    base = BASES[name]
    expected = answers(base, Path(folder) / "fp32" / "graph.onnx", half=False)
    for precision in precisions:
        graph = Path(folder) / precision / "graph.onnx"
        print(f"{name} {precision}: {compare(expected, answers(base, graph, precision == 'fp16'))}")


if __name__ == "__main__":
    main()
