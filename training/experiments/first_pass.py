"""How far behind a 4-bit first pass over the output embedding puts the tokens that matter.

For the first rows of the held-out windows: the exact logits of the installed int8 graph's last
norm, against those of the 4-bit product that the graph chooses candidates by. Prints by block size the
largest place, among the first pass's logits, of the best token and of each of the 50 best; and how much
the normaliser is off when all but the first pass's best 256 keep its logits.

    python training/experiments/first_pass.py MODEL_FOLDER/int8 qwen2.5-coder-0.5b
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

ROOT = Path(__file__).resolve().parents[2]
WINDOWS, ROWS, CANDIDATES, TOP_K = 8, 128, 256, 50


def table(installed: Path, plan: dict) -> tuple[np.ndarray, np.ndarray]:
    """The embedding table, dequantised, and its integers' scales."""
    entry = next(tensor for tensor in plan["tensors"] if tensor["name"] == "embedding")
    vocabulary, hidden = entry["shape"]
    data = np.memmap(installed / plan["weights"], np.uint8, "r")
    size, at = vocabulary * hidden, entry["offset"]
    integers = data[at : at + size].view(np.int8).reshape(vocabulary, hidden)
    at = entry["scale"]["offset"]
    scales = data[at : at + 4 * vocabulary].view(np.float32)
    return integers * scales[:, None], scales


def last_norms(installed: Path, windows: list[np.ndarray]) -> np.ndarray:
    """What enters the output embedding, [rows, hidden]."""
    model = onnx.load(str(installed / "graph.onnx"), load_external_data=False)
    model.graph.output.append(
        onnx.helper.make_tensor_value_info("output_norm", onnx.TensorProto.FLOAT, None)
    )
    path = installed / "first-pass-experiment.onnx"
    onnx.save(model, str(path))
    try:
        session = onnxruntime.InferenceSession(str(path))
    finally:
        path.unlink()
    inputs = {entry.name: entry.shape for entry in session.get_inputs()}
    shape = inputs["past.k.0"][1:]
    found = []
    for ids in windows:
        positions = np.arange(len(ids), dtype=np.int32)
        feeds = {
            "input_ids": ids,
            "position_ids": positions,
            "logit_rows": positions,
            "has_past": np.array([False]),
        }
        for name in inputs:
            if name.startswith("past."):
                filler = -1e30 if name.startswith("past.k") else 0
                feeds[name] = np.full((1, *shape), filler, np.float32)
            elif name.startswith("tail."):
                feeds[name] = np.zeros((0, *shape), np.float32)
        found.append(session.run(["output_norm"], feeds)[0][0])
    return np.concatenate(found)


def in_four_bits(weights: np.ndarray, block: int) -> np.ndarray:
    blocks = weights.reshape(-1, block)
    at = np.abs(blocks).argmax(axis=1)[:, None]
    scale = np.take_along_axis(blocks, at, 1) / np.float32(-8)
    scale[scale == 0] = 1
    return (np.clip(np.rint(blocks / scale), -8, 7) * scale).reshape(weights.shape)


def log_sum_exp(values: np.ndarray) -> float:
    most = values.max()
    return float(most + np.log(np.exp((values - most).astype(np.float64)).sum()))


def main(folder: str, model: str) -> None:
    installed = Path(folder)
    plan = json.loads((ROOT / "models" / model / "plan-int8.json").read_text())
    golden = json.loads((ROOT / f"test/fixtures/oracle/{model}.heldout.json").read_text())
    windows = [
        np.frombuffer(base64.b64decode(window["ids"]), np.int32)[:ROWS]
        for window in golden["windows"][:WINDOWS]
    ]
    weights, _ = table(installed, plan)
    norms = last_norms(installed, windows)
    exact = norms @ weights.T
    for block in (32, 64, 128):
        if weights.shape[1] % block:
            continue
        rough = norms @ in_four_bits(weights, block).T
        first, farthest, wrong = [], [], []
        for all_exact, all_rough in zip(exact, rough):
            order = np.argsort(-all_rough)
            places = np.empty(len(order), np.int64)
            places[order] = np.arange(len(order))
            best = np.argsort(-all_exact)[:TOP_K]
            first.append(places[best[0]])
            farthest.append(places[best].max())
            mixed = all_rough.copy()
            mixed[order[:CANDIDATES]] = all_exact[order[:CANDIDATES]]
            wrong.append(abs(log_sum_exp(mixed) - log_sum_exp(all_exact)))
        print(
            f"{model}, blocks of {block}, {len(first)} rows: the best token at place {max(first)} at most, "
            f"the {TOP_K} best at {int(np.percentile(farthest, 99))} (99 %) and {max(farthest)} at most; "
            f"normaliser off by {np.mean(wrong):.1e}, {max(wrong):.1e} at most",
            flush=True,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
