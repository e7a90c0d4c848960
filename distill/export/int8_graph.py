"""The network of a model file taken out of it, made ready for quantisation, and put back.

A file in half precision holds BatchNorms next to convolutions that several image sizes share. Quantisation
needs both in single precision and the former folded into the latter, which ONNX Runtime's basic optimisation
does, with a copy of the weights for each image size.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, numpy_helper

from distill.export.surround import named_network
from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.inference.contract import CHANNELS, IMAGE, NETWORK_IMAGE, NETWORK_LOGITS
from kd_seg_ros.inference.session_start import session_options

PREFIX: Final = "int8/"
"""First part of the names of a quantised network's nodes and values."""


def in_single_precision(model: onnx.ModelProto) -> onnx.ModelProto:
    """Copy a model with every value in half precision, constants included, in single precision."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    for tensor in graph.initializer:
        _widen(tensor)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.TENSOR:
                _widen(attribute.t)
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT16:
                attribute.i = TensorProto.FLOAT
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT16:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    return result


def _widen(tensor: TensorProto) -> None:
    """Bring a constant in half precision to single precision, in place."""
    if tensor.data_type == TensorProto.FLOAT16:
        values = numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def preprocessing(model: onnx.ModelProto) -> onnx.ModelProto:
    """Cut out what makes the network's image of the camera's, see :mod:`kd_seg_ros.inference.contract`."""
    inputs = [tensor.name for tensor in model.graph.input if tensor.name in (IMAGE, CHANNELS)]
    return onnx.utils.Extractor(model).extract_model(inputs, [NETWORK_IMAGE])


def folded_network(model: onnx.ModelProto) -> onnx.ModelProto:
    """Cut the network out of a model in single precision, with its BatchNorms folded into convolutions.

    Every node of the result has a name of its own.

    :raises UserError: if ONNX Runtime cannot read it.
    """
    network = onnx.utils.Extractor(model).extract_model([NETWORK_IMAGE], [NETWORK_LOGITS])
    options = session_options()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "folded.onnx"
        options.optimized_model_filepath = str(path)
        try:
            ort.InferenceSession(network.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's exceptions share no narrower base
            raise UserError(f"the network cannot be made ready for INT8: {first_line(error)}") from error
        result = onnx.load(path)
    for number, node in enumerate(result.graph.node):
        node.name = f"{number}:{node.name or node.op_type}"
    return result


def with_network(model: onnx.ModelProto, network: onnx.ModelProto) -> onnx.ModelProto:
    """Copy a model with another network between the borders that the contract names.

    :param model: a whole file in single precision, without a domain distance, which reads the old network's
        maps; the nodes before and after its network stay as they are.
    :param network: from the network's image to its logits, both named as in the contract.
    """
    old = onnx.utils.Extractor(model).extract_model([NETWORK_IMAGE], [NETWORK_LOGITS])
    replaced = {node.output[0] for node in old.graph.node}
    inner = named_network(network, PREFIX)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph

    # The new nodes stand where the old logits were made: before the nodes that read them.
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if NETWORK_LOGITS in node.output:
            nodes.extend(inner.graph.node)
        elif node.output[0] not in replaced:
            nodes.append(node)
    used = {name for node in nodes for name in node.input} | {value.name for value in graph.input}
    constants = [item for item in graph.initializer if item.name in used]
    borders = [value for value in graph.value_info if value.name in (NETWORK_IMAGE, NETWORK_LOGITS)]
    kept_nodes = onnx.GraphProto(node=nodes, initializer=[*constants, *inner.graph.initializer])
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(kept_nodes.node)
    graph.initializer.extend(kept_nodes.initializer)
    graph.value_info.extend(borders)

    known = {opset.domain for opset in result.opset_import}
    result.opset_import.extend(opset for opset in inner.opset_import if opset.domain not in known)
    onnx.checker.check_model(result)
    return result
