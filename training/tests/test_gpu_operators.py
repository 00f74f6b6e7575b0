"""Every operator of the fp16 graphs, with the types that it meets there, against the lists of kernels
that CUDA's and DirectML's providers have (gpu_operators.json).

What a provider has no kernel for runs on the CPU, with a copy there and back in every run: it would work,
slowly. The lists say nothing of attributes, nor of what a driver makes of a kernel.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto

from dynamo_training.export.graph import GPU_OPSET
from dynamo_training.suite import SUITE

LISTS: dict[str, Any] = json.loads((Path(__file__).parent / "gpu_operators.json").read_text())[
    "operators"
]
TYPES = {
    TensorProto.BOOL: "bool",
    TensorProto.FLOAT: "float",
    TensorProto.FLOAT16: "float16",
    TensorProto.INT32: "int32",
    TensorProto.INT64: "int64",
}
PROVIDERS = ("cuda", "dml")
GRAPHS = sorted(SUITE.glob("*/*-fp16.onnx"))


def key_of(node: onnx.NodeProto) -> str:
    return f"{node.domain}:{node.op_type}" if node.domain else node.op_type


def version_of(model: onnx.ModelProto, node: onnx.NodeProto) -> int:
    """Version of the operator that the graph means: the newest up to its opset."""
    if node.domain or node.op_type == "SimplifiedLayerNormalization":  # ONNX Runtime's own
        return 1
    opset = next(entry.version for entry in model.opset_import if not entry.domain)
    return onnx.defs.get_schema(node.op_type, opset).since_version


def serves(kernel: str, version: int) -> bool:
    """Whether a kernel that is listed as "13+" or "[13, 18]" takes an operator of that version.

    An open end means that no newer version is known to the kernel, not that it takes any.
    """
    numbers = [int(number) for number in re.findall(r"\d+", kernel)]
    return numbers[0] == version if kernel.endswith("+") else numbers[0] <= version <= numbers[1]


def types_of(node: onnx.NodeProto, known: dict[str, str]) -> dict[str, str]:
    """The type of each parameter of a node's kernel; adds those of its outputs to `known`."""
    entry = LISTS[key_of(node)]
    bound: dict[str, str] = {}
    letters = spread(entry["inputs"], len(node.input))
    for letter, name in zip(letters, node.input, strict=False):
        if not name:
            continue
        expected = bound.setdefault(letter, known[name])
        assert expected == known[name], f"{node.name}: {name} is {known[name]}, not {expected}"
        if letter in TYPES.values():
            assert letter == known[name], f"{node.name}: {name} is {known[name]}, not {letter}"
    attributes = {entry.name: entry for entry in node.attribute}
    if node.op_type == "Cast":
        bound["T2"] = TYPES[attributes["to"].i]
    if node.op_type == "ConstantOfShape":
        value = attributes.get("value")
        bound["T2"] = TYPES[value.t.data_type] if value else "float"
    for letter, name in zip(spread(entry["outputs"], len(node.output)), node.output, strict=False):
        known[name] = bound.get(letter, letter)
    return {letter: kind for letter, kind in bound.items() if letter not in TYPES.values()}


def spread(letters: list[str], count: int) -> list[str]:
    """`T...` stands for as many as there are."""
    return [letters[0][:-3]] * count if letters[0].endswith("...") else letters


def refusals(model: onnx.ModelProto) -> Iterator[str]:
    """What a provider has no kernel for."""
    graph = model.graph
    known = {entry.name: TYPES[entry.type.tensor_type.elem_type] for entry in graph.input}
    known |= {entry.name: TYPES[entry.data_type] for entry in graph.initializer}
    for node in graph.node:
        key, version = key_of(node), version_of(model, node)
        if key not in LISTS:
            yield f"{node.name}: {key} is not in the list"
            return
        types = types_of(node, known)
        for provider in PROVIDERS:
            kernels = LISTS[key][provider]
            if not any(
                serves(kernel, version)
                and all(types[letter] in allowed for letter, allowed in has.items())
                for kernel, has in kernels.items()
            ):
                yield f"{provider} has no {key} {version} for {types} ({node.name})"
    for output in graph.output:
        assert known[output.name] == TYPES[output.type.tensor_type.elem_type], output.name


@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_both_providers_have_every_kernel(path: Path) -> None:
    assert list(refusals(onnx.load(str(path), load_external_data=False))) == []


def test_every_base_has_an_fp16_graph() -> None:
    assert {path.parent.name for path in GRAPHS} == {path.name for path in SUITE.iterdir() if path.is_dir()}
    assert any(path.name.startswith("heads-") for path in GRAPHS)


def test_kernels_of_older_versions_do_not_count() -> None:
    model = onnx.load(str(SUITE / "smollm2-135m" / "trunk-fp16.onnx"), load_external_data=False)
    model.opset_import[0].version = 21
    found = "\n".join(refusals(model))
    assert "cuda has no ConstantOfShape 21" in found
    assert "dml has no ScatterElements 18" in found
    assert "Softmax" not in found


@pytest.mark.parametrize(
    ("kind", "data_type", "refusal"),
    [
        ("Softmax", TensorProto.INT64, "no Softmax 13 for {'T': 'int64'} (x)"),
        ("Erf", TensorProto.FLOAT16, "x: Erf is not in the list"),
    ],
)
def test_what_no_provider_has_is_found(kind: str, data_type: int, refusal: str) -> None:
    node = onnx.helper.make_node(kind, ["in"], ["out"], name="x")
    ends = [onnx.helper.make_tensor_value_info(name, data_type, [1]) for name in ("in", "out")]
    graph = onnx.helper.make_graph([node], "g", ends[:1], ends[1:])
    opsets = [onnx.helper.make_opsetid("", GPU_OPSET)]
    found = list(refusals(onnx.helper.make_model(graph, opset_imports=opsets)))
    assert found and all(each.endswith(refusal) for each in found)
