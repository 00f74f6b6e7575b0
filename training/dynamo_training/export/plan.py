"""The weight plan: which bytes of which source tensor become which initializer of a graph.

A graph is committed without weights. Its initializers are external data in one file beside it,
and the plan tells an installer how to write that file, tensor by tensor: the trunk's from the
publisher's GGUF, the heads' from the trained heads and from what was made of the trunk before.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto

from ..suite import heads_name

PLAN_VERSION = 1
LARGE_ALIGNMENT = 4096  # bytes: large tensors start on a page, so that they can be mapped
SMALL_ALIGNMENT = 64
ITEM_BYTES = {
    TensorProto.INT8: 1,
    TensorProto.UINT8: 1,
    TensorProto.FLOAT16: 2,
    TensorProto.FLOAT: 4,
    TensorProto.INT32: 4,
}


@dataclass(frozen=True)
class Source:
    """One tensor; several are concatenated along their output rows."""

    tensor: str
    unpermute_heads: int | None = None
    origin: str | None = None
    """None: the GGUF file. `heads`: the trained heads' file. `trunk`: the trunk's weight file."""
    rows: str | None = None
    """An int32 tensor of the trained heads that names the rows to take, in its order."""

    def to_json(self) -> dict[str, Any]:
        entry: dict[str, Any] = {"tensor": self.tensor}
        if self.unpermute_heads is not None:
            entry["unpermuteHeads"] = self.unpermute_heads
        if self.origin is not None:
            entry["from"] = self.origin
        if self.rows is not None:
            entry["rows"] = self.rows
        return entry


@dataclass
class WeightPlan:
    """Lays tensors out in one weight file and makes the initializers that refer to it."""

    model: str
    precision: str
    heads: dict[str, Any] | None = None
    """What the heads are, in the plan of a heads graph."""
    tensors: list[dict[str, Any]] = field(default_factory=list)
    borrowed: list[dict[str, Any]] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    """Initializers that read the bytes of another one, by their names."""
    initializers: list[TensorProto] = field(default_factory=list)
    size: int = 0

    @property
    def weights(self) -> str:
        if self.heads is None:
            return f"weights-{self.precision}.bin"
        # By the trained heads' name: a base may have several.
        trained = heads_name(Path(str(self.heads.get("file", "heads"))).stem)
        return f"{trained}-weights-{self.precision}.bin"

    def float32(
        self, name: str, shape: list[int], sources: list[Source], transpose: bool = False
    ) -> str:
        """A dequantised tensor, stored as [n], [N, K], or [K, N] when transposed.

        A name that was declared before stands for the same bytes, here and below.
        """
        return self._float("float32", TensorProto.FLOAT, name, shape, sources, transpose)

    def float16(
        self, name: str, shape: list[int], sources: list[Source], transpose: bool = False
    ) -> str:
        """The same, rounded to 16 bits."""
        return self._float("float16", TensorProto.FLOAT16, name, shape, sources, transpose)

    def _float(
        self,
        transform: str,
        data_type: int,
        name: str,
        shape: list[int],
        sources: list[Source],
        transpose: bool,
    ) -> str:
        if self._declared(name):
            return name
        self.tensors.append(
            {
                "transform": transform,
                "name": name,
                "shape": shape,
                "offset": self._place(name, data_type, shape),
                "transpose": transpose,
                "sources": [source.to_json() for source in sources],
            }
        )
        return name

    def int8(
        self, name: str, shape: list[int], sources: list[Source], transpose: bool
    ) -> tuple[str, str]:
        """A tensor of int8 with one float32 scale an output channel; returns both names.

        Each use gets an initializer of its own, all over the same bytes: ONNX Runtime's rewriting of
        int8 weights for processors without VNNI fails on one that two nodes read.
        """
        channels = shape[1] if transpose else shape[0]
        scale = f"{name}.scale"
        if self._declared(name):
            return self._alias(name), scale
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

    def int4(
        self, name: str, shape: list[int], block: int, sources: list[Source]
    ) -> tuple[str, str]:
        """A [N, K] tensor as MatMulNBits reads it: 4 bits a weight, two in a byte (the first in the
        low half), 8 for zero, and one float32 scale for every `block` values of a row.

        Returns the names of the bytes [N, K / block, block / 2] and of the scales [N * K / block].
        """
        if not self._declared(name):
            self.tensors.append(self._int4(name, shape, block, sources))
        return name, f"{name}.scale"

    def int4_with_offsets(
        self, name: str, shape: list[int], block: int, sources: list[Source]
    ) -> tuple[str, str, str]:
        """The same between the least and the largest value of each block: 16 steps, and what 8 stands
        for as one float32 offset a block. A Q4_1 tensor comes out as it is in its file.

        Returns the names of bytes, scales and offsets [N, K / block].
        """
        offsets = f"{name}.offsets"
        if not self._declared(name):
            entry = self._int4(name, shape, block, sources)
            at = self._place(offsets, TensorProto.FLOAT, [shape[0], shape[1] // block])
            self.tensors.append(entry | {"offsets": {"name": offsets, "offset": at}})
        return name, f"{name}.scale", offsets

    def _int4(
        self, name: str, shape: list[int], block: int, sources: list[Source]
    ) -> dict[str, Any]:
        """An entry with bytes and scales."""
        rows, columns = shape
        if columns % block != 0:
            raise ValueError(f"{name}: rows of {columns} are no blocks of {block}")
        scale = f"{name}.scale"
        return {
            "transform": "int4",
            "name": name,
            "shape": shape,
            "block": block,
            "offset": self._place(name, TensorProto.UINT8, [rows, columns // block, block // 2]),
            "transpose": False,
            "scale": {
                "name": scale,
                "offset": self._place(scale, TensorProto.FLOAT, [rows * columns // block]),
            },
            "sources": [source.to_json() for source in sources],
        }

    def int32(self, name: str, shape: list[int], sources: list[Source]) -> str:
        """Integers as they are."""
        self.tensors.append(
            {
                "transform": "int32",
                "name": name,
                "shape": shape,
                "offset": self._place(name, TensorProto.INT32, shape),
                "transpose": False,
                "sources": [source.to_json() for source in sources],
            }
        )
        return name

    def borrow(self, lender: WeightPlan, name: str) -> str:
        """An initializer of another graph's weight file, read there rather than stored twice."""
        if not self._declared(name):
            tensor = next(tensor for tensor in lender.initializers if tensor.name == name)
            self.initializers.append(tensor)
            fields = {entry.key: entry.value for entry in tensor.external_data}
            self.borrowed.append(
                {
                    "name": name,
                    "file": fields["location"],
                    "offset": int(fields["offset"]),
                    "bytes": int(fields["length"]),
                }
            )
        return name

    def to_json(self) -> str:
        plan = {
            "version": PLAN_VERSION,
            "model": self.model,
            "precision": self.precision,
            "weights": self.weights,
            "bytes": self.size,
        }
        if self.heads is not None:
            plan |= {"heads": self.heads, "borrowed": self.borrowed}
        head = json.dumps(plan, indent=1)[:-2]
        rows = ",\n".join("  " + json.dumps(tensor) for tensor in self.tensors)
        return f'{head},\n "tensors": [\n{rows}\n ]\n}}\n'

    def _declared(self, name: str) -> bool:
        return any(tensor.name == name for tensor in self.initializers)

    def _alias(self, name: str) -> str:
        tensor = TensorProto()
        tensor.CopyFrom(next(tensor for tensor in self.initializers if tensor.name == name))
        tensor.name = f"{name}.{2 + list(self.aliases.values()).count(name)}"
        self.initializers.append(tensor)
        self.aliases[tensor.name] = name
        return tensor.name

    def _place(self, name: str, data_type: int, shape: list[int]) -> int:
        """Reserves room in the weight file and adds the initializer; returns its byte offset."""
        size = ITEM_BYTES[data_type]
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
