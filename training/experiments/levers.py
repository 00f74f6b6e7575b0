"""What could make a step of the 0.5B faster: products by format in GB/s beside the memory's own speed,
gate and up in one product, and the output embedding in two passes.

Everything reads more than the caches hold, as a step does. Takes turns; trust ratios.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper
from timing import medians, session

HIDDEN, FFN, VOCABULARY = 896, 4864, 151_936
CANDIDATES, TOP_K = 256, 50
FLOAT, CONTRIB = TensorProto.FLOAT, "com.microsoft"
rng = np.random.default_rng(0)


class Parts:
    """Nodes and initializers of a small graph."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.initializers: dict[str, TensorProto] = {}

    def constant(self, value: Any, dtype: type) -> str:
        array = np.asarray(value, dtype)
        return self.weight(f"{array.dtype}{array.shape}{array.tolist()}", array)

    def weight(self, name: str, array: np.ndarray) -> str:
        if name not in self.initializers:
            self.initializers[name] = numpy_helper.from_array(array, name)
        return name

    def op(self, kind: str, inputs: list[str], outputs: int = 1, **attributes: Any) -> Any:
        names = [f"{len(self.nodes)}.{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    def quantised(self, rows: str) -> tuple[str, str]:
        largest = self.op(
            "ReduceMax", [self.op("Abs", [rows]), self.constant([-1], np.int64)], keepdims=1
        )
        scale = self.op("Mul", [largest, self.constant(1 / 127, np.float32)])
        scaled = self.op("Div", [rows, scale])
        one, zero = self.constant(1, np.float32), self.constant(128, np.uint8)
        return self.op("QuantizeLinear", [scaled, one, zero]), scale

    def int8(self, name: str, rows: tuple[str, str], shape: tuple[int, int]) -> str:
        integers = self.weight(name, rng.integers(-127, 128, shape).astype(np.int8))
        scales = self.weight(f"{name}.scale", np.full(shape[1], 1e-3, np.float32))
        one, zero = self.constant(1, np.float32), self.constant(128, np.uint8)
        inputs = [rows[0], integers, one, scales, zero]
        product = self.op("MatMulIntegerToFloat", inputs, domain=CONTRIB)
        return self.op("Mul", [product, rows[1]])

    def nbits(self, name: str, rows: str, shape: tuple[int, int], bits: int, block: int) -> str:
        k, n = shape
        packed = (n, k // block, block * bits // 8)
        weight = self.weight(name, rng.integers(0, 256, packed).astype(np.uint8))
        scales = self.weight(f"{name}.scale", np.full(n * k // block, 1e-3, np.float32))
        options = {"K": k, "N": n, "bits": bits, "block_size": block, "accuracy_level": 4}
        return self.op("MatMulNBits", [rows, weight, scales], domain=CONTRIB, **options)

    def session(self, width: int, outputs: list[str]):
        def value(name: str, shape: list | None) -> ValueInfoProto:
            return helper.make_tensor_value_info(name, FLOAT, shape)

        ends = [f"out{i}" for i in range(len(outputs))]
        for end, output in zip(ends, outputs):
            self.nodes.append(helper.make_node("Identity", [output], [end]))
        inputs = [value("x", [1, "R", width])]
        results = [value(end, None) for end in ends]
        return session(self.nodes, inputs, results, list(self.initializers.values()))


def memory_speed(threads: int) -> float:
    """GB/s of reading 512 MB, the best of five."""
    arrays = np.array_split(np.ones(2**26, np.int64), threads)
    best = np.inf
    for _ in range(5):
        readers = [threading.Thread(target=array.max) for array in arrays]
        started = time.perf_counter()
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        best = min(best, time.perf_counter() - started)
    return 2**29 / 1e9 / best


def products(shape: tuple[int, int], layers: int, bits: int, block: int):
    """Every weight once; and how many bytes that is."""
    parts = Parts()
    rows = parts.quantised("x")
    sums = []
    for layer in range(layers):
        if bits == 0:
            out = parts.int8(f"w{layer}", rows, shape)
        else:
            out = parts.nbits(f"w{layer}", "x", shape, bits, block)
        sums.append(parts.op("ReduceMax", [out, parts.constant([-1], np.int64)], keepdims=1))
    size = layers * shape[0] * shape[1]
    bytes_read = size if bits == 0 else size * bits // 8 + 4 * size // block
    return parts.session(shape[0], [parts.op("Sum", sums)]), bytes_read


def feed_forward(merged: bool, layers: int = 12):
    parts = Parts()
    x = "x"
    for layer in range(layers):
        rows = parts.quantised(x)
        if merged:
            both = parts.int8(f"both{layer}", rows, (HIDDEN, 2 * FFN))
            gate, up = parts.op("Split", [both], 2, axis=-1, num_outputs=2)
        else:
            gate, up = (parts.int8(f"{part}{layer}", rows, (HIDDEN, FFN)) for part in ("g", "u"))
        silu = parts.op("QuickGelu", [gate], domain=CONTRIB, alpha=1.0)
        inner = parts.quantised(parts.op("Mul", [silu, up]))
        x = parts.op("Add", [x, parts.int8(f"down{layer}", inner, (FFN, HIDDEN))])
    return parts.session(HIDDEN, [x])


def one_pass():
    parts = Parts()
    logits = parts.int8("w", parts.quantised("x"), (HIDDEN, VOCABULARY))
    best, _ = parts.op("TopK", [logits, parts.constant([TOP_K], np.int64)], 2)
    return parts.session(HIDDEN, [best, parts.op("LogSoftmax", [logits])])


def two_passes():
    """As trunk.py has it."""
    parts = Parts()
    ints = lambda *values: parts.constant(values, np.int64)  # noqa: E731
    count = parts.op("Shape", ["x"], start=1, end=2)
    odd = parts.op("Mod", [count, ints(2)])
    pairs = parts.op("Pad", ["x", parts.op("Concat", [ints(0, 0, 0, 0), odd, ints(0)], axis=0)])
    padded = parts.nbits("w", pairs, (HIDDEN, VOCABULARY), 4, 128)
    rough = parts.op("Slice", [padded, ints(0), count, ints(1)])
    _, candidates = parts.op("TopK", [rough, ints(CANDIDATES)], 2)
    table = rng.integers(-127, 128, (VOCABULARY, HIDDEN)).astype(np.int8)
    flat = parts.op("Squeeze", [candidates, ints(0)])
    rows = parts.op("Cast", [parts.op("Gather", [parts.weight("table", table), flat])], to=FLOAT)
    quantised, scale = parts.quantised("x")
    floats = parts.op("Cast", [quantised], to=FLOAT)
    centred = parts.op("Sub", [floats, parts.constant(128, np.float32)])
    sums = parts.op("MatMul", [rows, parts.op("Transpose", [centred], perm=[1, 2, 0])])
    exact = parts.op("Mul", [parts.op("Transpose", [sums], perm=[2, 0, 1]), scale])
    best, _ = parts.op("TopK", [exact, ints(TOP_K)], 2)
    logits = parts.op("ScatterElements", [rough, candidates, exact], axis=-1)
    return parts.session(HIDDEN, [best, parts.op("LogSoftmax", [logits])])


def race(title: str, graphs: dict[str, Any], rows: int, width: int, repeats: int = 15) -> dict:
    feeds = {"x": rng.standard_normal((1, rows, width)).astype(np.float32)}
    calls = {name: lambda g=graph: g.run(None, feeds) for name, graph in graphs.items()}
    result = medians(calls, repeats)
    print(
        f"{title}, {rows} rows: "
        + ", ".join(f"{name} {ms:.2f} ms" for name, ms in result.items()),
        flush=True,
    )
    return result


def main(parts: list[str]) -> None:
    if "memory" in parts:
        for threads in (1, 2):
            print(f"reading memory with {threads} threads: {memory_speed(threads):.1f} GB/s")
    if "products" in parts:
        formats = {"int8": (0, 0), "8 bits/128": (8, 128), "4 bits/32": (4, 32), "4 bits/128": (4, 128)}
        for shape, layers in (((896, 4864), 24), ((4864, 896), 24), ((896, VOCABULARY), 1)):
            made = {name: products(shape, layers, *how) for name, how in formats.items()}
            graphs = {name: graph for name, (graph, _) in made.items()}
            for rows in (1, 3, 8):
                result = race(f"{shape} × {layers}", graphs, rows, shape[0])
                speeds = (f"{name} {made[name][1] / 1e6 / ms:.1f}" for name, ms in result.items())
                print(f"  GB/s: {', '.join(speeds)}")
    if "gate-up" in parts:
        graphs = {"two products": feed_forward(False), "one product": feed_forward(True)}
        for rows in (1, 3, 8, 128):
            race("feed forward, 12 layers", graphs, rows, HIDDEN, 15 if rows < 100 else 5)
    if "output" in parts:
        graphs = {"one pass": one_pass(), "two passes": two_passes()}
        for rows in (1, 2, 3, 4, 8):
            race("output embedding", graphs, rows, HIDDEN)


if __name__ == "__main__":
    main(sys.argv[1:] or ["memory", "products", "gate-up", "output"])
