"""What int8 weights and activations of 8 or 15 bits cost a base model on the held-out code.

    python training/experiments/activations.py --gguf FILE --model ID [--windows N]

Simulated in the fp32 reference: every linear layer's weights are rounded per output channel, its
inputs per row; `blocks of N` rounds no weights, and inputs to 8 bits by so many values. `smooth A` moves outliers into the weights first, by (max |x|)^A / (max |w|)^(1-A)
for each input channel, calibrated on the last two windows of the same texts: an upper bound.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "oracle"))
import heldout
import reference

Rounding = Callable[[torch.Tensor], torch.Tensor]


def rounded(rows: torch.Tensor) -> torch.Tensor:
    scale = rows.abs().amax(-1, keepdim=True) / 127
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    return (rows / scale).round() * scale


def twice_rounded(rows: torch.Tensor) -> torch.Tensor:
    first = rounded(rows)
    return first + rounded(rows - first)


def rounded_by(block: int) -> Rounding:
    return lambda rows: rounded(rows.unflatten(-1, (-1, block))).flatten(-2)


def group_of(name: str) -> str:
    """Layers that read the same input share their channels' factors."""
    parent, _, kind = name.rpartition(".")
    if kind in ("q_proj", "k_proj", "v_proj"):
        kind = "qkv"
    elif kind in ("gate_proj", "up_proj"):
        kind = "gate_up"
    return f"{parent}.{kind}"


class Study:
    def __init__(self, gguf: Path, model: str, windows: int) -> None:
        oracle = reference.load(gguf, model)
        self.model = oracle.model
        cut = [w for text in heldout.texts() for w in heldout.windows(oracle.encode(text))]
        self.windows, self.calibration = cut[:windows], cut[-2:]
        self.layers = {
            name: layer
            for name, layer in self.model.named_modules()
            if isinstance(layer, torch.nn.Linear)
        }
        self.weights = {name: layer.weight.data.clone() for name, layer in self.layers.items()}
        self.before: dict[str, Rounding] = {}
        for name, layer in self.layers.items():
            layer.register_forward_pre_hook(self._hook(name))
        self.loss, self.choices = self._measure()

    def _hook(self, name: str):
        def hook(_layer, inputs):
            rounding = self.before.get(name)
            return None if rounding is None else (rounding(inputs[0]),)

        return hook

    def _measure(self) -> tuple[float, torch.Tensor]:
        loss, count, choices = 0.0, 0, []
        for ids in self.windows:
            logits = self.model(torch.tensor([ids])).logits[0, :-1].float()
            logs = logits.log_softmax(-1)
            loss -= logs[torch.arange(len(ids) - 1), torch.tensor(ids[1:])].sum().item()
            count += len(ids) - 1
            choices.append(logits.argmax(-1))
        return loss / count, torch.cat(choices)

    def report(
        self,
        name: str,
        activations: Rounding | None,
        factors: dict[str, torch.Tensor] | None = None,
        weights: Rounding = rounded,
    ) -> None:
        for key, layer in self.layers.items():
            factor = factors[key] if factors else torch.ones(1)
            layer.weight.data = weights(self.weights[key] * factor) / factor
            if activations is not None:
                self.before[key] = lambda x, f=factor: activations(x / f) * f
        loss, choices = self._measure()
        self.before.clear()
        rise = 100 * (np.exp(loss - self.loss) - 1)
        same = 100 * (choices == self.choices).float().mean()
        print(f"{name:24} perplexity {rise:+.2f} %, first choice equal {same:.2f} %", flush=True)

    def factors(self, strength: float) -> dict[str, torch.Tensor]:
        largest: dict[str, torch.Tensor] = {}

        def watch(name: str) -> Rounding:
            def look(x: torch.Tensor) -> torch.Tensor:
                peak = x.reshape(-1, x.shape[-1]).abs().amax(0)
                largest[name] = torch.maximum(largest.get(name, peak), peak)
                return x

            return look

        for name, layer in self.layers.items():
            layer.weight.data = self.weights[name]
        self.before = {name: watch(name) for name in self.layers}
        for ids in self.calibration:
            self.model(torch.tensor([ids]))
        self.before = {}
        groups: dict[str, list[str]] = {}
        for name in self.layers:
            groups.setdefault(group_of(name), []).append(name)
        result = {}
        for names in groups.values():
            peaks = torch.stack([self.weights[name].abs().amax(0) for name in names]).amax(0)
            inputs = largest[names[0]].clamp(min=1e-5)
            factor = inputs**strength / peaks.clamp(min=1e-5) ** (1 - strength)
            factor /= factor.log().mean().exp()
            result |= dict.fromkeys(names, factor)
        return result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gguf", type=Path, required=True)
    parser.add_argument("--model", choices=reference.MODELS, required=True)
    parser.add_argument("--windows", type=int, default=8)
    options = parser.parse_args()
    torch.set_grad_enabled(False)
    study = Study(options.gguf, options.model, options.windows)
    study.report("weights only", None)
    study.report("activations 8 bits", rounded)
    study.report("activations 15 bits", twice_rounded)
    for block in (32, 64):
        study.report(f"blocks of {block}", rounded_by(block), weights=lambda exact: exact)
    for strength in (0.5, 0.65):
        study.report(f"8 bits, smooth {strength}", rounded, study.factors(strength))


if __name__ == "__main__":
    main()
