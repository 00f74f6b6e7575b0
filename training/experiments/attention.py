"""Attention of the 0.5B (24 layers): GroupQueryAttention in place against the trunk's blocks.

Prints ms a run by context and rows, and whether a row alone gives the bits it gives among others.
"""

from __future__ import annotations

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from timing import medians, session

LAYERS, HEADS, KV_HEADS, SIZE = 24, 14, 2, 64
BLOCK = 128
CONTEXTS, ROWS = (260, 1024, 4096), (1, 3, 8)
FLOAT, CONTRIB = TensorProto.FLOAT, "com.microsoft"
rng = np.random.default_rng(0)


def value(name: str, shape: list, data_type: int = FLOAT):
    return helper.make_tensor_value_info(name, data_type, shape)


def in_place():
    nodes, outputs = [], []
    inputs = [
        value("lengths", [1], TensorProto.INT32),
        value("total", [], TensorProto.INT32),
        value("q", [1, "R", HEADS * SIZE]),
        value("k", [1, "R", KV_HEADS * SIZE]),
        value("v", [1, "R", KV_HEADS * SIZE]),
    ]
    for layer in range(LAYERS):
        cache = [f"{part}{layer}" for part in "kv"]
        new = [f"new.{name}" for name in cache]
        nodes.append(
            helper.make_node(
                "GroupQueryAttention",
                ["q", "k", "v", *cache, "lengths", "total"],
                [f"out{layer}", *new],
                domain=CONTRIB,
                num_heads=HEADS,
                kv_num_heads=KV_HEADS,
            )
        )
        inputs += [value(name, [1, KV_HEADS, "S", SIZE]) for name in cache]
        outputs += [value(name, [1, KV_HEADS, "S", SIZE]) for name in new]
        outputs.append(value(f"out{layer}", [1, "R", HEADS * SIZE]))
    return session(nodes, inputs, outputs, [])


def blocks():
    constants = {
        "by_head": [-1, HEADS, SIZE],
        "grouped": [KV_HEADS, -1, SIZE],
        "heads": [HEADS, -1, SIZE],
        "flat": [-1, HEADS * SIZE],
    }
    initializers = [
        numpy_helper.from_array(np.array(shape, np.int64), name)
        for name, shape in constants.items()
    ]
    inputs = [value("q", ["R", HEADS * SIZE]), value("mask", ["G", "T"])]
    inputs += [value(part, ["R", KV_HEADS, SIZE]) for part in "kv"]
    inputs.append(value("sizes", [2], TensorProto.INT64))
    nodes, outputs = [], []
    for layer in range(LAYERS):

        def op(kind: str, ins: list[str], *outs: str, layer: int = layer, **attributes):
            names = [f"{name}.{layer}" for name in outs]
            nodes.append(helper.make_node(kind, ins, names, **attributes))
            return names if len(names) > 1 else names[0]

        def product(ins: list[str], out: str, **attributes):
            return op("FusedMatMul", ins, out, domain=CONTRIB, transBatchB=1, **attributes)

        for part in "kv":
            for kind in ("past", "tail"):
                inputs.append(value(f"{kind}.{part}.{layer}", [kind, KV_HEADS, SIZE]))
        keys = op("Concat", [f"tail.k.{layer}", "k"], "keys", axis=0)
        values = op("Concat", [f"tail.v.{layer}", "v"], "values", axis=0)
        split = op("Reshape", ["q", "by_head"], "split")
        turned = op("Transpose", [split], "turned", perm=[1, 0, 2])
        query = op("Reshape", [turned, "grouped"], "query")
        scale = 1 / np.sqrt(SIZE)
        past = product([query, f"past.k.{layer}"], "past_scores", transB=1, alpha=scale)
        new = product([query, keys], "scores", transB=1, alpha=scale)
        masked = op("Add", [new, "mask"], "masked")
        joined = op("Concat", [past, masked], "joined", axis=2)
        weights = op("Softmax", [joined], "weights", axis=-1)
        past_part, new_part = op("Split", [weights, "sizes"], "past_part", "new_part", axis=2)
        mixed = op(
            "Add",
            [
                product([past_part, f"past.v.{layer}"], "past_mix"),
                product([new_part, values], "new_mix"),
            ],
            "mixed",
        )
        heads = op("Reshape", [mixed, "heads"], "mixed_heads")
        back = op("Transpose", [heads], "back", perm=[1, 0, 2])
        outputs.append(value(op("Reshape", [back, "flat"], "out"), ["R", HEADS * SIZE]))
    return session(nodes, inputs, outputs, initializers)


def bind(graph, feeds: dict[str, np.ndarray], shared: dict[str, object] | None = None):
    binding = graph.io_binding()
    for name, array in feeds.items():
        binding.bind_cpu_input(name, np.ascontiguousarray(array))
    for name, buffer in (shared or {}).items():
        binding.bind_ortvalue_input(name, buffer)
        binding.bind_ortvalue_output(f"new.{name}", buffer)
    for output in graph.get_outputs():
        if not output.name.startswith("new."):
            binding.bind_output(output.name)
    return binding


def main() -> None:
    first, second = in_place(), blocks()
    for context in CONTEXTS:
        cache = [
            rng.standard_normal((context + 8, KV_HEADS, SIZE)).astype(np.float32)
            for _ in range(2 * LAYERS)
        ]
        past = context // BLOCK * BLOCK
        names = [f"{part}{layer}" for layer in range(LAYERS) for part in "kv"]
        buffers = {
            name: onnxruntime.OrtValue.ortvalue_from_numpy(
                np.ascontiguousarray(rows.transpose(1, 0, 2))[None]
            )
            for name, rows in zip(names, cache)
        }
        query = rng.standard_normal((8, HEADS * SIZE)).astype(np.float32)
        new = {part: rng.standard_normal((8, KV_HEADS, SIZE)).astype(np.float32) for part in "kv"}
        last: dict[str, list[np.ndarray]] = {"in place": [], "blocks": []}
        for rows in ROWS:
            total = context + rows
            one = bind(
                first,
                {
                    "q": query[None, :rows],
                    **{part: new[part][:rows].reshape(1, rows, -1) for part in "kv"},
                    "lengths": np.array([total - 1], np.int32),
                    "total": np.array(total, np.int32),
                },
                buffers,
            )
            mask = np.triu(np.full((rows, total - past), -np.inf, np.float32), k=context - past + 1)
            feeds = {
                "q": query[:rows],
                "mask": np.tile(mask, (HEADS // KV_HEADS, 1)),
                "sizes": np.array([past, total - past], np.int64),
                **{part: new[part][:rows] for part in "kv"},
            }
            for layer in range(LAYERS):
                for index, part in enumerate("kv"):
                    feeds[f"past.{part}.{layer}"] = cache[2 * layer + index][:past]
                    feeds[f"tail.{part}.{layer}"] = cache[2 * layer + index][past:context]
            two = bind(second, feeds)
            result = medians(
                {
                    "in place": lambda: first.run_with_iobinding(one),
                    "blocks": lambda: second.run_with_iobinding(two),
                },
                15,
            )
            for name, binding in (("in place", one), ("blocks", two)):
                values = [x for x in binding.copy_outputs_to_cpu() if x.shape[-1] == HEADS * SIZE]
                last[name].append(values[0].reshape(rows, -1)[0])
            times = ", ".join(f"{name} {ms:.2f} ms" for name, ms in result.items())
            print(f"context {context}, {rows} rows: {times}", flush=True)
        for name, results in last.items():
            same = all(np.array_equal(results[0], other) for other in results[1:])
            print(f"context {context}, {name}: a row alone has {'the same' if same else 'OTHER'} bits")


if __name__ == "__main__":
    main()
