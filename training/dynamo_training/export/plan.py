"""The weight plan: which bytes of which GGUF tensor become which initializer of a graph.

A graph is committed without weights. Its initializers are external data in one file beside it,
and the plan tells an installer how to write that file from the publisher's GGUF, tensor by tensor.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import onnx
from onnx import TensorProto

PLAN_VERSION = 1
LARGE_ALIGNMENT = 4096  # bytes: large tensors start on a page, so that they can be mapped
SMALL_ALIGNMENT = 64


@dataclass(frozen=True)
class Source:
    """One GGUF tensor; several are concatenated along their output rows."""

    tensor: str
    unpermute_heads: int | None = None

    def to_json(self) -> dict[str, Any]:
        entry: dict[str, Any] = {"tensor": self.tensor}
        if self.unpermute_heads is not None:
            entry["unpermuteHeads"] = self.unpermute_heads
        return entry


@dataclass
class WeightPlan:
    """Lays tensors out in one weight file and makes the initializers that refer to it."""

    model: str
    precision: str
    tensors: list[dict[str, Any]] = field(default_factory=list)
    initializers: list[TensorProto] = field(default_factory=list)
    size: int = 0

    @property
    def weights(self) -> str:
        return f"weights-{self.precision}.bin"

    def float32(
        self, name: str, shape: list[int], sources: list[Source], transpose: bool = False
    ) -> str:
        """A dequantised tensor, stored as [n], [N, K], or [K, N] when transposed."""
        self.tensors.append(
            {
                "transform": "float32",
                "name": name,
                "shape": shape,
                "offset": self._place(name, TensorProto.FLOAT, shape),
                "transpose": transpose,
                "sources": [source.to_json() for source in sources],
            }
        )
        return name

    def int8(
        self, name: str, shape: list[int], sources: list[Source], transpose: bool
    ) -> tuple[str, str]:
        """A tensor of int8 with one float32 scale an output channel; returns both names."""
        channels = shape[1] if transpose else shape[0]
        scale = f"{name}.scale"
        offset = self._place(name, TensorProto.INT8, shape)
        self.tensors.append(
            {
                "transform": "int8",
                "name": name,
                "shape": shape,
                "offset": offset,
                "transpose": transpose,
                "scale": {
                    "name": scale,
                    "offset": self._place(scale, TensorProto.FLOAT, [channels]),
                },
                "sources": [source.to_json() for source in sources],
            }
        )
        return name, scale

    def to_json(self) -> str:
        plan = {
            "version": PLAN_VERSION,
            "model": self.model,
            "precision": self.precision,
            "weights": self.weights,
            "bytes": self.size,
        }
        head = json.dumps(plan, indent=1)[:-2]
        rows = ",\n".join("  " + json.dumps(tensor) for tensor in self.tensors)
        return f'{head},\n "tensors": [\n{rows}\n ]\n}}\n'

    def _place(self, name: str, data_type: int, shape: list[int]) -> int:
        """Reserves room in the weight file and adds the initializer; returns its byte offset."""
        size = 1 if data_type == TensorProto.INT8 else 4
        for dimension in shape:
            size *= dimension
        alignment = LARGE_ALIGNMENT if size >= LARGE_ALIGNMENT else SMALL_ALIGNMENT
        offset = -(-self.size // alignment) * alignment
        self.size = offset + size

        tensor = TensorProto(name=name, data_type=data_type, dims=shape)
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", self.weights), ("offset", offset), ("length", size)):
            tensor.external_data.append(onnx.StringStringEntryProto(key=key, value=str(value)))
        self.initializers.append(tensor)
        return offset
