"""A thin layer over onnx.helper: nodes by call, constants by value, one output name returned."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 21
GPU_OPSET = 17
"""The newest for which CUDA's and DirectML's providers both have kernels of all operators that the fp16
graphs use; see tests/test_gpu_operators.py. A kernel that was registered for an older version of an
operator does not serve a newer one."""
IR_VERSION = 10
CONTRIB = "com.microsoft"


class Graph:
    """Collects the nodes of a graph in execution order."""

    def __init__(self, name: str, opset: int = OPSET) -> None:
        self._name = name
        self.opset = opset
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._renamed: dict[str, str] = {}

    def input(self, name: str, data_type: int, shape: list[int | str]) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, data_type, shape))
        return name

    def output(self, name: str, value: str, data_type: int, shape: list[int | str]) -> None:
        """Makes a value an output of the graph under a name of its own."""
        self._renamed[value] = name
        self._outputs.append(helper.make_tensor_value_info(name, data_type, shape))

    def constant(self, value: Any, dtype: type) -> str:
        """An inline constant; equal ones are shared."""
        array = np.asarray(value, dtype=dtype)
        name = f"const.{array.dtype}.{'x'.join(map(str, array.shape)) or 'scalar'}.{array.tolist()}"
        self._constants.setdefault(name, numpy_helper.from_array(array, name))
        return name

    def op(
        self,
        kind: str,
        inputs: list[str],
        name: str,
        outputs: int | list[str] = 1,
        domain: str = "",
        **attributes: Any,
    ) -> Any:
        """Adds a node called `name`; returns its output's name, or a list when there are several."""
        if isinstance(outputs, int):
            names = [name] if outputs == 1 else [f"{name}.{i}" for i in range(outputs)]
        else:
            names = outputs
        node = helper.make_node(kind, inputs, names, name=name, domain=domain, **attributes)
        self._nodes.append(node)
        return names[0] if outputs == 1 else names

    def build(self, initializers: list[TensorProto]) -> onnx.ModelProto:
        for node in self._nodes:
            for names in (node.input, node.output):
                for i, name in enumerate(names):
                    names[i] = self._renamed.get(name, name)
        graph = helper.make_graph(
            self._nodes,
            self._name,
            self._inputs,
            self._outputs,
            [*self._constants.values(), *initializers],
        )
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid(CONTRIB, 1)]
        return helper.make_model(
            graph,
            ir_version=IR_VERSION,
            opset_imports=opsets,
            producer_name="dynamo_training",
        )
