"""Matrix products of six layers of the 0.5B by format and rows, and the log-normaliser by operator.

int8: rows quantised one by one, MatMulIntegerToFloat. nbits: MatMulNBits with int8 arithmetic.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from timing import medians, session

HIDDEN, FFN, VOCABULARY, LAYERS = 896, 4864, 151_936, 6
SHAPES = ((HIDDEN, 1152), (HIDDEN, HIDDEN), (HIDDEN, 2 * FFN), (FFN, HIDDEN))
FORMATS = {"int8": None, "nbits 8": (8, 128), "nbits 4": (4, 128)}
FLOAT, CONTRIB = TensorProto.FLOAT, "com.microsoft"
rng = np.random.default_rng(0)


def products(bits: tuple[int, int] | None):
    scalars = {
        "limit": np.float32(127),
        "one": np.float32(1),
        "zero": np.uint8(128),
        "axis": np.array([-1], np.int64),
    }
    used = scalars if bits is None else {}
    initializers = [numpy_helper.from_array(np.asarray(v), name) for name, v in used.items()]
    nodes, sums = [], []
    for layer in range(LAYERS):
        for rows, columns in SHAPES:
            name = f"{layer}.{rows}.{columns}"
            source, weight, scale = f"x{rows}", f"{name}.weight", f"{name}.scale"
            if bits is None:
                array = rng.integers(-127, 128, (rows, columns)).astype(np.int8)
                scales = np.full(columns, 1e-3, np.float32)
                steps = (
                    ("Abs", [source], "abs", {}),
                    ("ReduceMax", [f"{name}.abs", "axis"], "max", {"keepdims": 1}),
                    ("Div", [f"{name}.max", "limit"], "row", {}),
                    ("Div", [source, f"{name}.row"], "scaled", {}),
                    ("QuantizeLinear", [f"{name}.scaled", "one", "zero"], "int", {}),
                    (
                        "MatMulIntegerToFloat",
                        [f"{name}.int", weight, "one", scale, "zero"],
                        "product",
                        {"domain": CONTRIB},
                    ),
                    ("Mul", [f"{name}.product", f"{name}.row"], "out", {}),
                )
            else:
                width, block = bits
                shape = (columns, rows // block, block * width // 8)
                array = rng.integers(0, 256, shape).astype(np.uint8)
                scales = np.full(columns * (rows // block), 1e-3, np.float32)
                attributes = {"K": rows, "N": columns, "bits": width, "block_size": block}
                options = {"domain": CONTRIB, "accuracy_level": 4, **attributes}
                steps = (("MatMulNBits", [source, weight, scale], "out", options),)
            initializers.append(numpy_helper.from_array(array, weight))
            initializers.append(numpy_helper.from_array(scales, scale))
            for kind, inputs, output, options in steps:
                nodes.append(helper.make_node(kind, inputs, [f"{name}.{output}"], **options))
            nodes.append(helper.make_node("ReduceSum", [f"{name}.out"], [f"{name}.sum"], keepdims=0))
            sums.append(f"{name}.sum")
    nodes.append(helper.make_node("Sum", sums, ["sum"]))
    inputs = [helper.make_tensor_value_info(f"x{n}", FLOAT, ["R", n]) for n in (HIDDEN, FFN)]
    return session(nodes, inputs, [helper.make_tensor_value_info("sum", FLOAT, [])], initializers)


def normaliser(kind: str):
    node = (
        helper.make_node("ReduceLogSumExp", ["x", "axis"], ["y"], keepdims=1)
        if kind == "ReduceLogSumExp"
        else helper.make_node("LogSoftmax", ["x"], ["y"], axis=-1)
    )
    axis = [numpy_helper.from_array(np.array([-1], np.int64), "axis")]
    return session(
        [node],
        [helper.make_tensor_value_info("x", FLOAT, ["R", VOCABULARY])],
        [helper.make_tensor_value_info("y", FLOAT, ["R", "N"])],
        axis if kind == "ReduceLogSumExp" else [],
    )


def main() -> None:
    graphs = {name: products(bits) for name, bits in FORMATS.items()}
    for rows in (1, 2, 3, 4, 8, 256):
        feeds = {
            f"x{n}": rng.standard_normal((rows, n)).astype(np.float32) for n in (HIDDEN, FFN)
        }
        calls = {name: lambda g=graph: g.run(None, feeds) for name, graph in graphs.items()}
        result = medians(calls, 20 if rows < 100 else 4)
        print(f"{rows} rows: " + ", ".join(f"{name} {ms:.2f} ms" for name, ms in result.items()))

    logits = 3 * rng.standard_normal((1, VOCABULARY)).astype(np.float32)
    exact = np.log(np.exp(logits.astype(np.float64)).sum())
    best = logits.argmax()
    kinds = {kind: normaliser(kind) for kind in ("ReduceLogSumExp", "LogSoftmax")}
    calls = {kind: lambda g=graph: g.run(None, {"x": logits}) for kind, graph in kinds.items()}
    result = medians(calls, 20)
    for kind, graph in kinds.items():
        output = graph.run(None, {"x": logits})[0]
        found = output[0, 0] if kind == "ReduceLogSumExp" else logits[0, best] - output[0, best]
        print(f"{kind}: {result[kind]:.2f} ms, wrong by {abs(found - exact):.1e}")


if __name__ == "__main__":
    main()
