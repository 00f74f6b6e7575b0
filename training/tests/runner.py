"""Runs graphs in ONNX Runtime with weights from memory, and keeps their keys and values."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime

from dynamo_training.bases import Base
from dynamo_training.export.heads import HeadsSpec, build_heads
from dynamo_training.export.layers import TOP_K
from dynamo_training.export.plan import WeightPlan
from dynamo_training.export.trunk import build_trunk

BLOCK = 8  # the callers' own block size is larger; the graph does not know it


def quantise_channels(weight: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Symmetric int8 with a scale for each output channel; `axis` is the one that is summed over."""
    scale = (np.abs(weight).max(axis=axis) / np.float32(127)).astype(np.float32)
    scale[scale == 0] = 1
    quotient = weight / np.expand_dims(scale, axis)
    return np.clip(np.rint(quotient), -127, 127).astype(np.int8), scale


def quantise_blocks(weight: np.ndarray, block: int) -> tuple[np.ndarray, np.ndarray]:
    """4 bits a value, as MatMulNBits reads them: bytes [N, K / block, block / 2], scales [N * K / block]."""
    blocks = weight.reshape(-1, block)
    at = np.abs(blocks).argmax(axis=1)
    scale = np.take_along_axis(blocks, at[:, None], 1)[:, 0] / np.float32(-8)
    scale[scale == 0] = 1
    integers = np.clip(np.rint(blocks / scale[:, None]), -8, 7).astype(np.int8) + 8
    packed = (integers[:, 0::2] | integers[:, 1::2] << 4).astype(np.uint8)
    return packed.reshape(weight.shape[0], -1, block // 2), scale.astype(np.float32)


def quantise_between(weight: np.ndarray, block: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """16 steps from each block's least to its largest value: bytes and scales as above, and offsets
    [N, K / block], the value of 8."""
    blocks = weight.reshape(-1, block)
    least, largest = blocks.min(axis=1), blocks.max(axis=1)
    scale = (largest - least) / np.float32(15)
    flat = scale == 0
    scale[flat] = 1
    steps = np.clip(np.rint((blocks - least[:, None]) / scale[:, None]), 0, 15).astype(np.uint8)
    steps[flat] = 8
    offsets = np.where(flat, least, least + np.float32(8) * scale)
    packed = steps[:, 0::2] | steps[:, 1::2] << 4
    shape = (weight.shape[0], -1, block // 2)
    return packed.reshape(shape), scale, offsets.reshape(weight.shape[0], -1)


def in_16_steps(weight: np.ndarray, block: int) -> np.ndarray:
    """[N, K] as its 4-bit blocks hold it."""
    packed, scale, offsets = quantise_between(weight, block)
    steps = np.stack([packed & 15, packed >> 4], axis=-1).astype(np.float32) - 8
    scaled = steps.reshape(-1, block) * scale[:, None] + offsets.reshape(-1, 1)
    return scaled.reshape(weight.shape)


def open_session(model: onnx.ModelProto, arrays: dict[str, np.ndarray], threads: int = 2) -> Any:
    """A session whose initializers without data are filled from memory."""
    for initializer in model.graph.initializer:
        if initializer.name in arrays:
            value = onnx.numpy_helper.from_array(arrays[initializer.name], initializer.name)
            initializer.CopyFrom(value)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # As the engine does: without it, processors without VNNI saturate.
    options.add_session_config_entry("session.x64quantprecision", "1")
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def stored(plan: WeightPlan, values: Any) -> dict[str, np.ndarray]:
    """What the weight file of a plan holds; `values` gives each entry's values as the graph has
    them, [K, N] where they are transposed."""
    arrays: dict[str, np.ndarray] = {}
    for tensor in plan.tensors:
        name = tensor["name"]
        if tensor["transform"] == "int8":
            axis = 0 if tensor["transpose"] else 1
            arrays[name], arrays[tensor["scale"]["name"]] = quantise_channels(values(tensor), axis)
        elif "offsets" in tensor:
            packed, scale, offsets = quantise_between(values(tensor), tensor["block"])
            arrays |= {name: packed, tensor["scale"]["name"]: scale}
            arrays[tensor["offsets"]["name"]] = offsets
            continue
        elif tensor["transform"] == "int4":
            arrays[name], arrays[tensor["scale"]["name"]] = quantise_blocks(
                values(tensor), tensor["block"]
            )
            continue
        elif tensor["transform"] == "float16":
            arrays[name] = values(tensor).astype(np.float16)
        else:
            arrays[name] = values(tensor)
        assert list(arrays[name].shape) == tensor["shape"], name
    return arrays


def trunk_values(weights: dict[str, np.ndarray]) -> Any:
    """For `stored`: a base's weights by name (numpy_base.py), where matrices are [K, N]."""

    def values(tensor: dict[str, Any]) -> np.ndarray:
        value = weights[tensor["name"]]
        return np.ascontiguousarray(value.T) if "offsets" in tensor else value

    return values


def heads_values(
    weights: dict[str, np.ndarray], tensors: dict[str, np.ndarray], shortlist: np.ndarray
) -> Any:
    """For `stored`: the trunk's weights (numpy_base.py), the heads' own by the names of their state."""

    def values(tensor: dict[str, Any]) -> np.ndarray:
        parts = []
        for source in tensor["sources"]:
            if source["from"] == "trunk":
                parts.append(weights[source["tensor"]])
            elif source["tensor"] == "shortlist":
                parts.append(shortlist)
            else:
                parts.append(tensors[source["tensor"]])
            if "rows" in source:
                parts[-1] = parts[-1][shortlist]
        joined = np.concatenate(parts)
        return np.ascontiguousarray(joined.T) if tensor["transpose"] else joined

    return values


class Cache:
    """Keys and values of one sequence: [2 * layers, positions, kv_heads, head_size]."""

    def __init__(self, base: Base, layers: int, precision: str) -> None:
        self.base = base
        half = precision == "fp16"
        dtype = np.float16 if half else np.float32
        self.rows = np.zeros((2 * layers, 0, base.kv_heads, base.head_size), dtype)
        self.hidden_key = 0 if half else -1e30

    @property
    def length(self) -> int:
        return self.rows.shape[1]

    def feeds(self) -> dict[str, np.ndarray]:
        past = self.length - self.length % BLOCK
        shape = (1, *self.rows.shape[2:])
        feeds = {"has_past": np.array([past > 0])}
        for index, rows in enumerate(self.rows):
            part = "kv"[index % 2]
            placeholder = np.full(shape, self.hidden_key if part == "k" else 0, self.rows.dtype)
            feeds[f"past.{part}.{index // 2}"] = rows[:past] if past else placeholder
            feeds[f"tail.{part}.{index // 2}"] = rows[past:]
        return feeds

    def append(self, kv: np.ndarray, keep: int) -> None:
        """Takes the first `keep` rows of a run over."""
        new = kv.reshape(len(self.rows), -1, *self.rows.shape[2:])
        self.rows = np.concatenate([self.rows, new[:, :keep]], axis=1)


def run_all(session: Any, feeds: dict[str, np.ndarray]) -> dict[str, Any]:
    """Every output by name."""
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


class Trunk:
    """A trunk graph and the KV cache of one sequence."""

    def __init__(self, base: Base, precision: str, weights: dict[str, np.ndarray]) -> None:
        model, plan = build_trunk(base, precision)
        self.session = open_session(model, stored(plan, trunk_values(weights)))
        self.kv = Cache(base, base.layers, precision)

    @property
    def cache(self) -> np.ndarray:
        return self.kv.rows

    def run(self, ids: list[int], logit_rows: list[int] | None = None) -> dict[str, Any]:
        """Appends rows; returns every output by name."""
        start, count = self.kv.length, len(ids)
        rows = range(count) if logit_rows is None else logit_rows
        feeds = self.kv.feeds() | {
            "input_ids": np.array(ids, np.int32),
            "position_ids": np.arange(start, start + count, dtype=np.int32),
            "logit_rows": np.array(rows, np.int32),
        }
        outputs = run_all(self.session, feeds)
        self.kv.append(outputs["kv"], count)
        return outputs


class Heads:
    """A heads graph and the KV cache of one sequence.

    `weights` are the trunk's (numpy_base.py), `tensors` the heads' own by the names of their state.
    """

    def __init__(
        self,
        base: Base,
        precision: str,
        spec: HeadsSpec,
        weights: dict[str, np.ndarray],
        tensors: dict[str, np.ndarray],
        shortlist: np.ndarray,
    ) -> None:
        trunk = build_trunk(base, precision)[1]
        model, plan = build_heads(base, precision, spec, trunk)
        arrays = stored(plan, heads_values(weights, tensors, shortlist))
        lent = stored(trunk, trunk_values(weights))
        arrays |= {entry["name"]: lent[entry["name"]] for entry in plan.borrowed}
        arrays |= {alias: arrays[name] for alias, name in plan.aliases.items()}
        self.session = open_session(model, arrays)
        self.model = model.SerializeToString(deterministic=True)
        """The graph, its weights inside."""
        self.spec = spec
        self.kv = Cache(base, spec.cache_layers, precision)

    def run(
        self, stem: np.ndarray, next_ids: list[int], noise: np.ndarray | None = None
    ) -> dict[str, Any]:
        """Feeds rows [R, hidden] behind those that are kept; returns every output by name."""
        start, count = self.kv.length, len(next_ids)
        feeds = self.kv.feeds() | {
            "stem": stem[None].astype(np.float32),
            "position_ids": np.arange(start, start + count, dtype=np.int32),
            "noise": np.zeros((self.spec.applications, TOP_K), np.float32)
            if noise is None
            else noise,
        }
        if self.spec.kind != "independent":
            feeds["next_ids"] = np.array(next_ids, np.int32)
        outputs = run_all(self.session, feeds)
        self.kv.append(outputs["kv"], max(0, count - self.spec.provisional))
        return outputs
