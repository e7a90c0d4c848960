"""Running nodes written by :mod:`distill.export.graph` alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnx import helper

from distill.export.graph import GraphBuilder
from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.inference.contract import OPSET


def run_nodes(graph: GraphBuilder, feeds: Mapping[str, Any], outputs: Mapping[str, int]) -> list[Any]:
    """Return the outputs, named with their types, of a graph whose inputs are those fed."""
    info = helper.make_tensor_value_info
    inputs = [info(k, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for k, v in feeds.items()]
    proto = helper.make_model(
        helper.make_graph(
            graph.nodes, "part", inputs, [info(k, v, None) for k, v in outputs.items()], graph.initializers
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=9,
    )
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(list(outputs), feeds))
