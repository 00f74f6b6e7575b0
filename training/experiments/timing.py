"""ONNX Runtime sessions as the engine opens them, and medians of calls that take turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import onnxruntime
from onnx import NodeProto, TensorProto, ValueInfoProto, helper


def session(
    nodes: list[NodeProto],
    inputs: list[ValueInfoProto],
    outputs: list[ValueInfoProto],
    initializers: list[TensorProto],
) -> onnxruntime.InferenceSession:
    graph = helper.make_graph(nodes, "experiment", inputs, outputs, initializers)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def medians(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Milliseconds of each call."""
    return {name: statistics.median(times) for name, times in taking_turns(calls, repeats).items()}


def leasts(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """The same where other work on the machine would move a median: it only adds."""
    return {name: min(times) for name, times in taking_turns(calls, repeats).items()}


def taking_turns(
    calls: dict[str, Callable[[], object]], repeats: int
) -> dict[str, list[float]]:
    """Milliseconds of every call of each; the first round, which warms up, is left out."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(1000 * (time.perf_counter() - start))
    return {name: values[1:] for name, values in times.items()}
