"""A network in ONNX and the nodes around it, as one model.

The whole follows the contract of
:mod:`kd_seg_ros.inference.engine`.

The network is any model with one float input [1, 3, h, w] and the output [1, C, h', w'], its logits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from distill.export import dynamic as onnx_dynamic
from distill.export.graph import GraphBuilder
from distill.export.interpolation import Upsampling
from distill.export.postprocess import CONFIDENCE, MASK, PROBABILITY, add_postprocessing
from distill.export.preprocess import CHANNELS, IMAGE, RGB, add_preprocessing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distill.models.logit_calibration import LogitCalibration

OPSET = 18
"""The newest for which ONNX Runtime has always had a CUDA kernel of Resize."""
IR_VERSION = 10
"""Of the file format; 11 is the newest that ONNX Runtime 1.23 knows, the last one for Humble's Python."""
SIDES = ("height", "width")
"""Names of the image's sides in a file that takes any size."""
OUTPUTS = {MASK: TensorProto.UINT8, CONFIDENCE: TensorProto.UINT8, PROBABILITY: TensorProto.FLOAT}


def surround(
    network: onnx.ModelProto,
    mean: Sequence[float],
    std: Sequence[float],
    upsampling: Upsampling,
    calibration: LogitCalibration | None = None,
) -> onnx.ModelProto:
    """Put pre- and post-processing around a network.

    :param network: of opset :data:`OPSET`, with known shapes of input and output.
    :param mean: RGB, 0…1, as is ``std``.
    :param upsampling: from the logits to the camera's size, which is the size of image and maps.
    """
    model = compose.add_prefix(network, "network/")
    graph = model.graph
    size = (len(upsampling.rows), len(upsampling.columns))
    pixels, logits = graph.input[0], graph.output[0]
    _, _, height, width = shape_of(pixels)
    before, after = GraphBuilder("before/"), GraphBuilder("after/")
    dtype = pixels.type.tensor_type.elem_type
    add_preprocessing(before, size, (height, width), mean, std, dtype, pixels.name)
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

    :param network: of opset :data:`OPSET`; it takes images whose sides are multiples of ``multiple``.
    :param mean: RGB, 0…1, as is ``std``.
    :param scale: the network sees the image resized by this factor.
    """
    model = compose.add_prefix(network, "network/")
    pixels, logits = model.graph.input[0], model.graph.output[0]
    before, after = GraphBuilder("before/"), GraphBuilder("after/")
    sizes = onnx_dynamic.Sizes(before, scale, multiple)
    dtype = pixels.type.tensor_type.elem_type
    onnx_dynamic.add_preprocessing(before, sizes, mean, std, dtype, pixels.name)
    onnx_dynamic.add_postprocessing(after, sizes, logits.name, shape_of(logits)[1], calibration)
    _assemble(model, before, after, SIDES)
    return model


def _assemble(
    model: onnx.ModelProto, before: GraphBuilder, after: GraphBuilder, size: tuple[int | str, int | str]
) -> None:
    """Put nodes before and behind those of a model, and give it the contract's inputs and outputs."""
    graph = model.graph
    nodes = [*before.nodes, *graph.node, *after.nodes]
    del graph.node[:], graph.input[:], graph.output[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend([*before.initializers, *after.initializers])
    # An initializer that is an input as well is an input with a default.
    graph.initializer.append(numpy_helper.from_array(np.array(RGB, np.int64), CHANNELS))
    graph.input.append(helper.make_tensor_value_info(IMAGE, TensorProto.UINT8, [*size, 3]))
    graph.input.append(helper.make_tensor_value_info(CHANNELS, TensorProto.INT64, [3]))
    graph.output.extend(helper.make_tensor_value_info(name, kind, size) for name, kind in OUTPUTS.items())
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model)


def shape_of(value: onnx.ValueInfoProto) -> list[int]:
    """Return a tensor's shape; 0 where a dimension has no number."""
    return [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
