"""A graph that tells whether a processor's uint8 x int8 products saturate.

x86 processors without VNNI add two such products in 16 bits. One row of 255s, taken as 127 each,
times columns of 127s gives 127 * 127 * SIZE exactly, or something far smaller.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from .graph import CONTRIB, Graph

SIZE = 64
CHANNELS = 32


def build_probe() -> onnx.ModelProto:
    """Input `rows` uint8 [1, SIZE]; output `products` float [1, CHANNELS]."""
    graph = Graph("saturation-probe")
    rows = graph.input("rows", TensorProto.UINT8, [1, SIZE])
    weight = numpy_helper.from_array(np.full((SIZE, CHANNELS), 127, np.int8), "weight")
    scales = numpy_helper.from_array(np.ones(CHANNELS, np.float32), "scales")
    one, zero_point = graph.constant(1, np.float32), graph.constant(128, np.uint8)
    products = graph.op(
        "MatMulIntegerToFloat",
        [rows, "weight", one, "scales", zero_point],
        "product",
        domain=CONTRIB,
    )
    graph.output("products", products, TensorProto.FLOAT, [1, CHANNELS])
    return graph.build([weight, scales])
