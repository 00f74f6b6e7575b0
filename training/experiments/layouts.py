"""What long contexts cost, and whether other layouts of keys and values would cost less.

Keys and values of all layers, more than the caches hold, meet a few rows' queries and weights. `queries
x keys` and `weights x values` are the trunk's: whole rows of all heads, as they were made. The others:
the product turned round (keys x queries), and blocks of 128 positions that hold one head after the
other, with keys as rows or as columns. All give the same bits for scores. `read` only looks at every
number once: the memory's own time. Least times of 15 (3 with 64 rows).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper
from timing import leasts, session

SIZE, BLOCK = 64, 128
CONTEXTS, ROWS = (1024, 4096), (1, 3, 64)
CONTRIB = "com.microsoft"
SCALE = SIZE**-0.5
rng = np.random.default_rng(0)


@dataclass(frozen=True)
class Shape:
    name: str
    layers: int
    kv_heads: int
    group: int
    """Query heads that share keys."""


SHAPES = (Shape("0.5B", 24, 2, 7), Shape("135M", 30, 3, 3))


def contrib(inputs: list[str], output: str, **attributes) -> NodeProto:
    return helper.make_node("FusedMatMul", inputs, [output], domain=CONTRIB, **attributes)


def turned(source: str, output: str, *order: int) -> NodeProto:
    return helper.make_node("Transpose", [source], [output], perm=order)


def in_blocks(kept: np.ndarray) -> np.ndarray:
    """[P, kv_heads, d] as [P / BLOCK, kv_heads, BLOCK, d]."""
    blocks = kept.reshape(-1, BLOCK, *kept.shape[1:])
    return np.ascontiguousarray(blocks.transpose(0, 2, 1, 3))


def by_column(kept: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(in_blocks(kept).transpose(0, 1, 3, 2))


@dataclass(frozen=True)
class Way:
    """`nodes` of one layer from what is kept to `out`; `stored` arranges [P, kv_heads, d]."""

    nodes: Callable[[str, str], list[NodeProto]]
    stored: Callable[[np.ndarray], np.ndarray] = lambda kept: kept


WAYS = {
    "read": Way(lambda kept, out: [helper.make_node("Identity", [kept], [out])]),
    "queries x keys": Way(
        lambda kept, out: [contrib(["q", kept], out, transBatchB=1, transB=1, alpha=SCALE)]
    ),
    "keys x queries": Way(
        lambda kept, out: [
            contrib([kept, "q"], f"{out}.t", transBatchA=1, transB=1, alpha=SCALE),
            turned(f"{out}.t", out, 0, 2, 1),
        ]
    ),
    "blocks: queries x keys": Way(
        lambda kept, out: [
            contrib(["q", kept], f"{out}.t", transB=1, alpha=SCALE),
            turned(f"{out}.t", out, 1, 2, 0, 3),
        ],
        in_blocks,
    ),
    "blocks: keys x queries": Way(
        lambda kept, out: [
            contrib([kept, "q"], f"{out}.t", transB=1, alpha=SCALE),
            turned(f"{out}.t", out, 1, 3, 0, 2),
        ],
        in_blocks,
    ),
    "blocks: columns": Way(
        lambda kept, out: [
            contrib(["q", kept], f"{out}.t", alpha=SCALE),
            turned(f"{out}.t", out, 1, 2, 0, 3),
        ],
        by_column,
    ),
    "weights x values": Way(lambda kept, out: [contrib(["w", kept], out, transBatchB=1)]),
    "blocks: weights x values": Way(
        lambda kept, out: [
            helper.make_node("Reshape", ["w", "by_block"], [f"{out}.r"]),
            turned(f"{out}.r", f"{out}.w", 2, 0, 1, 3),
            contrib([f"{out}.w", kept], f"{out}.p"),
            helper.make_node("ReduceSum", [f"{out}.p", "first"], [out], keepdims=0),
        ],
        in_blocks,
    ),
}


def graph(shape: Shape, way: Way, rank: int):
    """Runs one way in every layer; its results are looked at, but do not leave."""

    def value(name: str, dimensions: list | None):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, dimensions)

    inputs = [value("q", [None] * 3), value("w", [None] * 3)]
    nodes, ends = [], []
    for layer in range(shape.layers):
        kept, out = f"kept{layer}", f"out{layer}"
        inputs.append(value(kept, [None] * rank))
        nodes += [*way.nodes(kept, out), helper.make_node("ReduceMax", [out], [f"{out}.end"], keepdims=0)]
        ends.append(f"{out}.end")
    nodes.append(helper.make_node("Sum", ends, ["sum"]))
    constants = {"by_block": [shape.kv_heads, 0, -1, BLOCK], "first": [0]}
    initializers = [numpy_helper.from_array(np.array(v, np.int64), k) for k, v in constants.items()]
    return session(nodes, inputs, [value("sum", None), value("out0", None)], initializers)


def main() -> None:
    for shape in SHAPES:
        for context in CONTEXTS:
            kept = [
                rng.standard_normal((context, shape.kv_heads, SIZE)).astype(np.float32)
                for _ in range(shape.layers)
            ]
            stored = {name: [way.stored(rows) for rows in kept] for name, way in WAYS.items()}
            graphs = {name: graph(shape, way, stored[name][0].ndim) for name, way in WAYS.items()}
            for rows in ROWS:
                count = shape.group * rows
                query = rng.standard_normal((shape.kv_heads, count, SIZE)).astype(np.float32)
                weights = rng.random((shape.kv_heads, count, context)).astype(np.float32)

                def run(name: str, output: str) -> np.ndarray:
                    feeds = {f"kept{i}": array for i, array in enumerate(stored[name])}
                    return graphs[name].run([output], feeds | {"q": query, "w": weights})[0]

                calls = {name: lambda n=name: run(n, "sum") for name in WAYS}
                result = leasts(calls, 15 if rows < 10 else 3)
                print(f"{shape.name}, context {context}, {rows} rows, ms:", flush=True)
                print("  " + ", ".join(f"{name} {ms:.1f}" for name, ms in result.items()))
                scores = [name for name in WAYS if name.endswith(("keys", "queries", "columns"))]
                bits = {run(name, "out0").tobytes() for name in scores}
                print(f"  scores have {'the same' if len(bits) == 1 else 'OTHER'} bits", flush=True)


if __name__ == "__main__":
    main()
