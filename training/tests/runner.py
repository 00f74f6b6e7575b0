"""Runs a trunk graph in ONNX Runtime with weights from memory, and keeps its keys and values."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime

from dynamo_training.bases import Base
from dynamo_training.export.trunk import build_trunk

BLOCK = 8  # the callers' own block size is larger; the graph does not know it


def quantise_channels(weight: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Symmetric int8 with a scale for each output channel; `axis` is the one that is summed over."""
    scale = (np.abs(weight).max(axis=axis) / np.float32(127)).astype(np.float32)
    scale[scale == 0] = 1
    quotient = weight / np.expand_dims(scale, axis)
    return np.clip(np.rint(quotient), -127, 127).astype(np.int8), scale


class Trunk:
    """A trunk graph and the KV cache of one sequence."""

    def __init__(self, base: Base, precision: str, weights: dict[str, np.ndarray]) -> None:
        model, plan = build_trunk(base, precision)
        arrays: dict[str, np.ndarray] = {}
        for tensor in plan.tensors:
            name = tensor["name"]
            if tensor["transform"] == "int8":
                axis = 0 if tensor["transpose"] else 1
                arrays[name], arrays[tensor["scale"]["name"]] = quantise_channels(
                    weights[name], axis
                )
            else:
                arrays[name] = weights[name]
            assert list(arrays[name].shape) == tensor["shape"], name
        for initializer in model.graph.initializer:
            if initializer.name in arrays:
                value = onnx.numpy_helper.from_array(arrays[initializer.name], initializer.name)
                initializer.CopyFrom(value)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        options.log_severity_level = 3
        # As the engine does: without it, processors without VNNI saturate.
        options.add_session_config_entry("session.x64quantprecision", "1")
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        self.base = base
        self.cache = np.zeros((2 * base.layers, 0, base.kv_heads, base.head_size), np.float32)

    def run(self, ids: list[int], logit_rows: list[int] | None = None) -> dict[str, Any]:
        """Appends rows; returns every output by name."""
        length = self.cache.shape[1]
        past = length - length % BLOCK
        shape = (1, self.base.kv_heads, self.base.head_size)
        feeds: dict[str, np.ndarray] = {
            "input_ids": np.array(ids, np.int32),
            "position_ids": np.arange(length, length + len(ids), dtype=np.int32),
            "logit_rows": np.array(
                range(len(ids)) if logit_rows is None else logit_rows, np.int32
            ),
            "has_past": np.array([past > 0]),
        }
        for layer in range(self.base.layers):
            for index, part in enumerate("kv"):
                rows = self.cache[2 * layer + index]
                placeholder = np.full(shape, -1e30 if part == "k" else 0, np.float32)
                feeds[f"past.{part}.{layer}"] = rows[:past] if past else placeholder
                feeds[f"tail.{part}.{layer}"] = rows[past:]
        names = [output.name for output in self.session.get_outputs()]
        outputs = dict(zip(names, self.session.run(names, feeds)))
        new = outputs["kv"].reshape(2 * self.base.layers, len(ids), *shape[1:])
        self.cache = np.concatenate([self.cache, new], axis=1)
        return outputs
