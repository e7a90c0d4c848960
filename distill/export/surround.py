"""Putting pre- and post-processing nodes around a network, as one ONNX model.

The whole follows the contract of a model file, :mod:`kd_seg_ros.inference.contract`.

The network is any model with one float input [1, 3, h, w] and the output [1, C, h', w'], its logits. It may
take any number of images per run instead of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from distill.export import dynamic as onnx_dynamic
from distill.export.graph import GraphBuilder
from distill.export.interpolation import Padding, Upsampling
from distill.export.postprocess import add_postprocessing
from distill.export.preprocess import add_preprocessing
from kd_seg_ros.inference.contract import (
    BATCH,
    CHANNELS,
    IMAGE,
    IR_VERSION,
    NETWORK_IMAGE,
    NETWORK_LOGITS,
    OUTPUTS,
    RGB,
    SIDES,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from distill.models.logit_calibration import LogitCalibration


def surround(
    network: onnx.ModelProto,
    mean: Sequence[float],
    std: Sequence[float],
    padding: Padding,
    upsampling: Upsampling,
    calibration: LogitCalibration | None = None,
) -> onnx.ModelProto:
    """Put pre- and post-processing around a network.

    :param network: of the contract's opset, with known shapes of input and output.
    :param mean: RGB, 0…1, as is ``std``.
    :param padding: from the resized image to the size that the network takes.
    :param upsampling: from the logits to the size of the camera's image, which the outputs have too.
    """
    model = named_network(network)
    graph = model.graph
    size = (len(upsampling.rows), len(upsampling.columns))
    pixels, logits = graph.input[0], graph.output[0]
    before, after = GraphBuilder("before/"), GraphBuilder("after/")
    dtype = pixels.type.tensor_type.elem_type
    add_preprocessing(before, size, padding, mean, std, dtype, pixels.name)
    add_postprocessing(after, logits.name, shape_of(logits)[1], upsampling, calibration)

    _assemble(model, before, after, size)
    return model


def surround_dynamic(
    network: onnx.ModelProto,
    mean: Sequence[float],
    std: Sequence[float],
    scale: float,
    multiple: int,
    calibration: LogitCalibration | None = None,
) -> onnx.ModelProto:
    """Put pre- and post-processing around a network that takes any size.

    :param network: of the contract's opset; it takes images whose sides are multiples of ``multiple``.
    :param mean: RGB, 0…1, as is ``std``.
    :param scale: the network sees the image resized by this factor.
    """
    model = named_network(network)
    pixels, logits = model.graph.input[0], model.graph.output[0]
    before, after = GraphBuilder("before/"), GraphBuilder("after/")
    sizes = onnx_dynamic.Sizes(before, scale, multiple)
    dtype = pixels.type.tensor_type.elem_type
    onnx_dynamic.add_preprocessing(before, sizes, mean, std, dtype, pixels.name)
    onnx_dynamic.add_postprocessing(after, sizes, logits.name, shape_of(logits)[1], calibration)
    _assemble(model, before, after, SIDES)
    return model


def named_network(network: onnx.ModelProto, prefix: str = "network/") -> onnx.ModelProto:
    """Copy a network with its input and output called as in the contract, and all other names prefixed."""
    model = compose.add_prefix(network, prefix)
    graph = model.graph
    _rename(graph, {graph.input[0].name: NETWORK_IMAGE, graph.output[0].name: NETWORK_LOGITS})
    for value in (graph.input[0], graph.output[0]):
        images = value.type.tensor_type.shape.dim[0]
        if not images.dim_value:
            images.dim_param = BATCH  # the network takes any number of images; here it gets one
    return model


def _rename(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    """Rename values of a graph, wherever they are made or read, in the bodies of conditions and loops too."""
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        for names_of_node in (node.input, node.output):
            names_of_node[:] = [names.get(name, name) for name in names_of_node]
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                _rename(body, names)


def _assemble(
    model: onnx.ModelProto, before: GraphBuilder, after: GraphBuilder, size: tuple[int | str, int | str]
) -> None:
    """Put nodes before and after those of a model, and give it the contract's inputs and outputs."""
    graph = model.graph
    nodes = [*before.nodes, *graph.node, *after.nodes]
    # Where the network begins and ends is described in the file, for a runtime that replaces what is around.
    borders = [*graph.input, *graph.output]
    del graph.node[:], graph.input[:], graph.output[:], graph.value_info[:]
    graph.value_info.extend(borders)
    graph.node.extend(nodes)
    graph.initializer.extend([*before.initializers, *after.initializers])
    # An initializer that is an input as well is an input with a default.
    graph.initializer.append(numpy_helper.from_array(np.array(RGB, np.int64), CHANNELS))
    graph.input.append(helper.make_tensor_value_info(IMAGE, TensorProto.UINT8, [*size, 3]))
    graph.input.append(helper.make_tensor_value_info(CHANNELS, TensorProto.INT64, [3]))
    graph.output.extend(output_infos(size))
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model)


def output_infos(size: Sequence[int | str]) -> list[onnx.ValueInfoProto]:
    """Describe the outputs of a model file for images of ``size``: (H, W), or the names of open sides."""
    kinds = {name: helper.np_dtype_to_tensor_dtype(np.dtype(dtype)) for name, dtype in OUTPUTS.items()}
    return [helper.make_tensor_value_info(name, kind, size) for name, kind in kinds.items()]


def shape_of(value: onnx.ValueInfoProto) -> list[int]:
    """Return a tensor's shape; 0 where a dimension has no number."""
    return [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
