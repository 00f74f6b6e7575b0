"""PyTorch's side of bench/gpu: the base model in fp16 on a device (in fp32 on the CPU), from the weights that were installed
for ONNX Runtime, its keys and values kept on the device. Prints what it measured as JSON.

    python peer.py MODEL_ID PLAN WEIGHTS_FOLDER DEVICE CONTEXTS REPEATS

Eager, with scaled_dot_product_attention: what a program on PyTorch does without compiling its model.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention, silu

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "training"))

from dynamo_training.bases import BASES, Base  # noqa: E402

ROWS = 8


def kind_on(device: str) -> torch.dtype:
    return torch.float16 if device.startswith("cuda") else torch.float32


def read_weights(plan: Path, folder: Path, device: str) -> dict[str, torch.Tensor]:
    described = json.loads(plan.read_text())
    data = np.memmap(folder / described["weights"], np.uint8, "r")
    weights = {}
    for entry in described["tensors"]:
        kind = {"float16": np.float16, "float32": np.float32}[entry["transform"]]
        size = int(np.prod(entry["shape"])) * np.dtype(kind).itemsize
        values = data[entry["offset"] : entry["offset"] + size].view(kind).reshape(entry["shape"])
        weights[entry["name"]] = torch.from_numpy(values.copy()).to(device, kind_on(device))
    return weights


class Model:
    def __init__(self, base: Base, weights: dict[str, torch.Tensor], capacity: int) -> None:
        self.base, self.weights = base, weights
        embedding = weights["embedding"]
        self.device, self.kind = embedding.device, embedding.dtype
        shape = (base.layers, 2, base.kv_heads, capacity, base.head_size)
        self.cache = torch.zeros(shape, dtype=self.kind, device=self.device)
        exponents = torch.arange(0, base.head_size, 2, device=self.device) / base.head_size
        angles = torch.arange(capacity, device=self.device)[:, None] / base.rope_base**exponents
        self.cos, self.sin = angles.cos(), angles.sin()

    def norm(self, name: str, rows: torch.Tensor) -> torch.Tensor:
        wide = rows.float()
        wide = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.base.norm_epsilon)
        return wide.to(self.kind) * self.weights[name]

    def rotate(self, rows: torch.Tensor, start: int) -> torch.Tensor:
        """[R, heads, d], float32 inside."""
        end = start + len(rows)
        cos, sin = self.cos[start:end, None], self.sin[start:end, None]
        low, high = rows.float().chunk(2, dim=-1)
        turned = torch.cat([low * cos - high * sin, high * cos + low * sin], dim=-1)
        return turned.to(self.kind)

    def run(self, ids: torch.Tensor, start: int) -> torch.Tensor:
        """Logits of the last row, behind `start` rows that are in the cache."""
        base, weights, count = self.base, self.weights, len(ids)
        end, group = start + count, base.heads // base.kv_heads
        size, kv = base.heads * base.head_size, base.kv_heads * base.head_size
        places = torch.arange(end, device=self.device)
        mask = places[None, :] <= places[start:, None]
        rows = weights["embedding"][ids]
        for layer in range(base.layers):
            name = f"l{layer}."
            mixed = self.norm(f"{name}attn_norm.weight", rows) @ weights[f"{name}qkv"]
            if base.qkv_bias:
                mixed = mixed + weights[f"{name}qkv.bias"]
            query, key, value = mixed.split([size, kv, kv], dim=-1)
            query = self.rotate(query.view(count, base.heads, -1), start)
            key = self.rotate(key.view(count, base.kv_heads, -1), start)
            own = self.cache[layer]
            own[0, :, start:end] = key.transpose(0, 1)
            own[1, :, start:end] = value.view(count, base.kv_heads, -1).transpose(0, 1)
            keys, values = (part[:, :end].repeat_interleave(group, 0) for part in own)
            found = scaled_dot_product_attention(
                query.transpose(0, 1)[None], keys[None], values[None], attn_mask=mask
            )
            found = found[0].transpose(0, 1).reshape(count, size)
            rows = rows + found @ weights[f"{name}attn_output"]
            normed = self.norm(f"{name}ffn_norm.weight", rows)
            gate, up = normed @ weights[f"{name}ffn_gate"], normed @ weights[f"{name}ffn_up"]
            rows = rows + (silu(gate) * up) @ weights[f"{name}ffn_down"]
        return self.norm("output_norm.weight", rows[-1:]) @ weights["embedding"].T


def timed(device: str, work: Callable[[], torch.Tensor]) -> float:
    """ms until the best token is known."""
    started = time.perf_counter()
    work().argmax().item()  # waits for the device
    return 1000 * (time.perf_counter() - started)


@torch.inference_mode()
def measure(model: Model, context: int, repeats: int, device: str) -> dict[str, object]:
    prompt = torch.tensor([1 + i % 2 for i in range(context)], device=model.device)
    row = torch.tensor([1] + [2] * (ROWS - 1), device=model.device)
    model.run(prompt, 0)
    prefill = timed(device, lambda: model.run(prompt, 0)) / context
    steps = []
    for rows in range(1, ROWS + 1):
        timed(device, lambda: model.run(row[:rows], context))
        times = [timed(device, lambda: model.run(row[:rows], context)) for _ in range(repeats)]
        steps.append(statistics.median(times))
    cuda = device.startswith("cuda")
    name = torch.cuda.get_device_name(device) if cuda else "CPU"
    return {
        "context": context,
        "prefillMs": prefill,
        "stepMs": steps,
        "torch": f"{torch.__version__}, {name}",
        "memory": torch.cuda.max_memory_allocated(device) / 1e6 if cuda else None,
    }


def main() -> None:
    name, plan, folder, device, contexts, repeats = sys.argv[1:]
    base, lengths = BASES[name], [int(each) for each in contexts.split(",")]
    weights = read_weights(Path(plan), Path(folder), device)
    model = Model(base, weights, max(lengths) + ROWS)
    print(json.dumps([measure(model, each, int(repeats), device) for each in lengths]))


if __name__ == "__main__":
    main()
