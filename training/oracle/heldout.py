"""Writes the held-out golden of one model: log-probabilities of real code by the fp32 reference.

    python training/oracle/heldout.py --gguf FILE --model ID --out test/fixtures/oracle/ID.heldout.json

The texts of heldout/ are encoded file by file and cut into windows of at most 512 tokens, each read
from an empty cache. A window of n tokens predicts n - 1 of them: entry i of `logProbability`, `top1`
and `gap` is about token i + 1 given tokens 0..i. Arrays are base64 of little-endian int32 or
float32. `gap` is the difference of the two largest logits, so that near ties can be told apart.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import math
from pathlib import Path

import numpy as np
import torch

import reference

FOLDER = Path(__file__).resolve().parent / "heldout"
WINDOW = 512
SHORTEST = 32


def sources() -> list[dict[str, str]]:
    return json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))["files"]


def texts() -> list[str]:
    """The texts in the manifest's order; raises ValueError when one is not the recorded one."""
    found = []
    for source in sources():
        raw = (FOLDER / source["file"]).read_bytes()
        if hashlib.sha256(raw).hexdigest() != source["sha256"]:
            raise ValueError(f"{source['file']} differs from the manifest; restore it")
        found.append(raw.decode("utf-8"))
    return found


def windows(ids: list[int]) -> list[list[int]]:
    """Consecutive windows; a tail shorter than SHORTEST is dropped."""
    cut = [ids[i : i + WINDOW] for i in range(0, len(ids), WINDOW)]
    return [window for window in cut if len(window) >= SHORTEST]


def packed(values: torch.Tensor, kind: str) -> str:
    """Base64 of the values as little-endian `kind` ("<i4" or "<f4")."""
    return base64.b64encode(values.numpy().astype(np.dtype(kind)).tobytes()).decode("ascii")


def main() -> None:
    parser = argparse.ArgumentParser(description="held-out golden of one model")
    parser.add_argument("--gguf", type=Path, required=True)
    parser.add_argument("--model", choices=reference.MODELS, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int)
    args = parser.parse_args()

    ref = reference.load(args.gguf, args.model, threads=args.threads)
    entries: list[dict[str, object]] = []
    predicted, total, right = 0, 0.0, 0
    for source, text in zip(sources(), texts(), strict=True):
        for ids in windows(ref.encode(text)):
            logits = ref.logits(ids)[:-1]
            target = torch.tensor(ids[1:])
            true = logits.gather(1, target[:, None])[:, 0]
            log_probability = true.double() - torch.logsumexp(logits.double(), 1)
            top = logits.topk(2, dim=1)
            entries.append(
                {
                    "source": source["file"],
                    "ids": packed(torch.tensor(ids), "<i4"),
                    "logProbability": packed(log_probability, "<f4"),
                    "top1": packed(top.indices[:, 0], "<i4"),
                    "gap": packed(top.values[:, 0] - top.values[:, 1], "<f4"),
                }
            )
            predicted += len(target)
            total += log_probability.sum().item()
            right += int((top.indices[:, 0] == target).sum())
    golden = {
        "version": 1,
        "model": ref.model_id,
        "source": ref.sha256,
        "arithmetic": "float32",
        "predicted": predicted,
        "perplexity": math.exp(-total / predicted),
        "top1Accuracy": right / predicted,
        "windows": entries,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(golden, separators=(",", ":")) + "\n", encoding="utf-8")
    print(
        f"{args.out}: {predicted} tokens in {len(entries)} windows, "
        f"perplexity {golden['perplexity']:.4f}, top-1 {golden['top1Accuracy']:.4f}"
    )


if __name__ == "__main__":
    main()
