"""Writes the logits golden of one model: what the fp32 reference says after fixed prompts.

    python training/oracle/logits.py --gguf FILE --model ID --out test/fixtures/oracle/ID.logits.json

For three prompts (about 16, 100 and 300 tokens) and a few rows of each: the 50 largest logits with
their ids, the log-normaliser, and the logits of about 200 ids spread over the vocabulary. Then 32
greedy tokens, each with the gap between the two largest logits: a small gap may flip in another
arithmetic, a large one may not.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

import heldout
import reference

TOP = 50
SAMPLE = 200
GREEDY = 32


def prompts(ref: reference.Reference) -> dict[str, list[int]]:
    """Ids of the three prompts. The middle one asks for a fill where the model can do that."""
    python, _, typescript, *_ = heldout.texts()
    chosen = {"short": ref.encode(typescript)[:16]}
    if "<|fim_middle|>" in ref.control:
        before, after, middle = (
            ref.control[f"<|fim_{part}|>"] for part in ("prefix", "suffix", "middle")
        )
        ids = ref.encode(python)
        chosen["medium"] = [before, after, *ids[81:130], middle, *ids[:48]]
    else:
        chosen["medium"] = ref.encode(python)[:100]
    chosen["long"] = ref.encode(typescript)[:300]
    return chosen


def rows_of(length: int) -> list[int]:
    """The rows recorded of a prompt: first, second, quarters, last."""
    return sorted({0, 1, length // 4, length // 2, 3 * length // 4, length - 1})


def sample_of(vocabulary: int) -> list[int]:
    """Ids spread evenly, first and last included."""
    return [round(i * (vocabulary - 1) / (SAMPLE - 1)) for i in range(SAMPLE)]


def rounded(values: torch.Tensor) -> list[float]:
    """float32 values with the nine digits that identify them."""
    return [float(f"{value:.9g}") for value in values.tolist()]


def row_golden(logits: torch.Tensor, row: int, sample: list[int]) -> dict[str, object]:
    """logits: [vocabulary]."""
    top = logits.topk(TOP)
    return {
        "row": row,
        "logNormalizer": torch.logsumexp(logits.double(), 0).item(),
        "top": {"ids": top.indices.tolist(), "logits": rounded(top.values)},
        "sample": rounded(logits[sample]),
    }


@torch.inference_mode()
def greedy(ref: reference.Reference, ids: list[int]) -> dict[str, list[float]]:
    """GREEDY tokens after `ids`, with the gap of the two largest logits at each. No stop token."""
    tokens: list[int] = []
    gaps: list[float] = []
    feed, cache = torch.tensor([ids]), None
    for _ in range(GREEDY):
        out = ref.model(feed, past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache = out.past_key_values
        top = out.logits[0, -1].topk(2)
        tokens.append(int(top.indices[0]))
        gaps.append(round(float(top.values[0] - top.values[1]), 5))
        feed = torch.tensor([[tokens[-1]]])
    return {"ids": tokens, "gaps": gaps}


def main() -> None:
    parser = argparse.ArgumentParser(description="logits golden of one model")
    parser.add_argument("--gguf", type=Path, required=True)
    parser.add_argument("--model", choices=reference.MODELS, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int)
    args = parser.parse_args()

    ref = reference.load(args.gguf, args.model, threads=args.threads)
    vocabulary = ref.model.config.vocab_size
    sample = sample_of(vocabulary)
    entries = []
    for name, ids in prompts(ref).items():
        logits = ref.logits(ids)
        entries.append(
            {
                "name": name,
                "ids": ids,
                "rows": [row_golden(logits[row], row, sample) for row in rows_of(len(ids))],
                "greedy": greedy(ref, ids),
            }
        )
    golden = {
        "version": 1,
        "model": ref.model_id,
        "source": ref.sha256,
        "arithmetic": "float32",
        "vocabulary": vocabulary,
        "sampleIds": sample,
        "prompts": entries,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(golden, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{args.out}: {[len(entry['ids']) for entry in entries]} tokens")


if __name__ == "__main__":
    main()
