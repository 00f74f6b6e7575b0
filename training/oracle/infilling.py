"""Greedy single-line infilling by the oracle, appended to a JSONL file that can be continued.

    python training/oracle/infilling.py --gguf FILE --model qwen2.5-coder-0.5b \
        --tasks bench/data/HumanEval-SingleLineInfilling.jsonl.gz \
        --out bench/infilling/reference-0.5b.jsonl --count 420

Prompt, suffix first: <|fim_prefix|><|fim_suffix|>S<|fim_middle|>P; prefix first:
<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>; P alone where the model has no such tokens. S and P are
each encoded whole, as plain text, and nothing is truncated. Decoding takes the largest logit and
ends at a line feed behind visible text (kept out of the text), at a stop token, or at 64 tokens.
One line a task: id, text, tokens, stop.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch

import reference
import tasks

STOP = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|fim_prefix|>",
    "<|fim_suffix|>",
    "<|fim_middle|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
)


def prompt_of(ref: reference.Reference, prefix: str, suffix: str, order: str) -> list[int]:
    """The prompt's ids; see the head of this file."""
    p, s = ref.encode(prefix), ref.encode(suffix)
    if "<|fim_middle|>" not in ref.control:
        return p
    before, after, middle = (ref.control[f"<|fim_{part}|>"] for part in ("prefix", "suffix", "middle"))
    if order == "suffix-first":
        return [before, after, *s, middle, *p]
    return [before, *p, after, *s, middle]


@torch.inference_mode()
def complete(
    ref: reference.Reference, ids: list[int], max_tokens: int
) -> tuple[str, list[int], str]:
    """Greedy text up to its line end, the tokens taken (the stop token excluded), and why it ended."""
    stop = {ref.control[name] for name in STOP if name in ref.control}
    taken: list[int] = []
    feed, cache = torch.tensor([ids]), None
    while True:
        out = ref.model(feed, past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache = out.past_key_values
        token = int(out.logits[0, -1].argmax())
        if token in stop:
            return ref.decode(taken), taken, "stop-token"
        taken.append(token)
        text = ref.decode(taken)
        line = tasks.completed_line(text)
        if line is not None:
            return line, taken, "line"
        if len(taken) == max_tokens:
            return text, taken, "length"
        feed = torch.tensor([[token]])


def finished(path: Path) -> set[str]:
    """Ids already in the file. A last line that a kill left half written is cut off."""
    if not path.exists():
        return set()
    raw = path.read_bytes()
    whole = raw[: raw.rfind(b"\n") + 1]
    if len(whole) != len(raw):
        path.write_bytes(whole)
    return {json.loads(line)["id"] for line in whole.splitlines()}


def main() -> None:
    parser = argparse.ArgumentParser(description="greedy infilling by the reference")
    parser.add_argument("--gguf", type=Path, required=True)
    parser.add_argument("--model", choices=reference.MODELS, required=True)
    parser.add_argument("--tasks", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=420)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--order", choices=("suffix-first", "prefix-first"), default="suffix-first")
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--threads", type=int)
    args = parser.parse_args()

    chosen = tasks.select(tasks.read_tasks(args.tasks), args.count, args.seed)
    done = finished(args.out)
    todo = [task for task in chosen if task["task_id"] not in done]
    if not todo:
        print(f"all {len(chosen)} tasks are in {args.out}")
        return
    ref = reference.load(args.gguf, args.model, threads=args.threads)
    begin = time.perf_counter()
    with args.out.open("a", encoding="utf-8") as out:
        for index, task in enumerate(todo, 1):
            ids = prompt_of(ref, task["prompt"], task["suffix"], args.order)
            text, taken, stop = complete(ref, ids, args.max_tokens)
            row = {"id": task["task_id"], "text": text, "tokens": len(taken), "stop": stop}
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
            out.flush()
            pace = (time.perf_counter() - begin) / index
            print(f"{index}/{len(todo)} {pace:.2f} s a task", flush=True)


if __name__ == "__main__":
    main()
