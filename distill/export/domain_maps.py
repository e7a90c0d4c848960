"""The early feature maps of a network in an ONNX file, and their statistics as nodes of the graph.

An image that is unlike those of calibration shows in the first layers already, whatever the network makes of
it later. Mean and standard deviation of every channel of a few early maps say how the image looks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import onnx
from onnx import TensorProto

from distill.export.graph import GraphBuilder
from distill.export.surround import shape_of
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.contract import NETWORK_IMAGE, NETWORK_LOGITS

STRIDES: Final = (4, 8)
"""Of each of these strides one map is taken, where the network has one."""
OTHER_STRIDES: Final = (2, 16)
"""Likewise where it has none of the former."""
EXAMPLE_SIDE: Final = 512
"""Sides of the image by which the maps of a file of open size are found."""
TINY: Final = 1e-6
"""Added to variances, so that a channel that is constant has a derivative."""
_PASS: Final = frozenset({"Conv", "BatchNormalization", "Relu", "Clip", "Add", "Concat", "HardSwish", "Mul"})
"""Nodes whose output is a feature map, if its sides are those of a stride."""


@dataclass(frozen=True)
class EarlyMap:
    """One feature map, [1, C, h, w]."""

    name: str
    """Name of the value in the graph."""
    channels: int
    stride: int
    """Pixels of the network's image for each of the map's."""


def early_maps(model: onnx.ModelProto, strides: Sequence[int] = STRIDES) -> list[EarlyMap]:
    """Find, for each stride, the last of the narrowest maps before the network goes on to a larger stride.

    Narrow maps are cheap, and what a network passes on is often narrower than what it computes in between.

    :param model: a file of ours, which names where its network begins.
    :param strides: those that are asked for; where the network has no map of any, :data:`OTHER_STRIDES` are.
    :raises UserError: if it does not, or has no map of any stride.
    """
    shapes = _shapes(model)
    found = _narrowest(model, shapes, strides) or _narrowest(model, shapes, OTHER_STRIDES)
    if not found:
        raise UserError(
            "no feature map of the network has a side of a half, a quarter, an eighth or a sixteenth of its "
            "image's: there is nothing to tell unknown images by"
        )
    return [found[stride] for stride in sorted(found)]


def _narrowest(
    model: onnx.ModelProto, shapes: Mapping[str, list[int]], strides: Sequence[int]
) -> dict[int, EarlyMap]:
    """Return the map of each stride that the network has, see :func:`early_maps`."""
    height, width = shapes[NETWORK_IMAGE][2:]
    found: dict[int, EarlyMap] = {}
    largest = 1
    inside = False
    for node in model.graph.node:
        inside = inside or NETWORK_IMAGE in node.input
        if not inside or node.op_type not in _PASS:
            continue
        shape = shapes.get(node.output[0], [])
        if len(shape) != 4 or 0 in shape or height % shape[2] or width % shape[3]:
            continue
        stride = height // shape[2]
        if stride != width // shape[3]:
            continue
        # Once the network has gone on, maps of a smaller stride are those of a decoder or of another level.
        largest = max(largest, stride)
        if stride == largest and stride in strides:
            before = found.get(stride)
            if before is None or shape[1] <= before.channels:
                found[stride] = EarlyMap(node.output[0], shape[1], stride)
        if largest > max(strides):
            break
    return found


def add_statistics(graph: GraphBuilder, maps: Sequence[EarlyMap]) -> str:
    """Append nodes that compute mean and standard deviation of every channel; return the value's name.

    The value is float32 [1, d]: for each map the means of its channels, then the standard deviations. All
    sums are taken in float32, whatever the maps' type.
    """
    axes = graph.integers(2, 3)
    parts = []
    for item in maps:
        x = graph.add("Cast", item.name, to=TensorProto.FLOAT)
        mean = graph.add("ReduceMean", x, axes, keepdims=1)
        # The mean is taken away first: the difference of two large sums would keep few digits.
        centred = graph.add("Sub", x, mean)
        variance = graph.add("ReduceMean", graph.add("Mul", centred, centred), axes, keepdims=1)
        deviation = graph.add("Sqrt", graph.add("Add", variance, graph.floats(TINY)))
        parts += [mean, deviation]
    joined = graph.add("Concat", *parts, axis=1)
    return graph.add("Flatten", joined, axis=1)


def _shapes(model: onnx.ModelProto) -> dict[str, list[int]]:
    """Return the sides of the network's values by name; 0 where one has no number.

    A file of open size is looked at as if its network's image were square, of :data:`EXAMPLE_SIDE`.
    """
    made = {name for node in model.graph.node for name in node.output}
    if not made >= {NETWORK_IMAGE, NETWORK_LOGITS}:
        raise UserError("the file does not name where its network begins and ends: export the model again")
    described = {value.name for value in model.graph.value_info}
    if not described >= {NETWORK_IMAGE, NETWORK_LOGITS}:
        model = onnx.shape_inference.infer_shapes(model)
    network = onnx.utils.Extractor(model).extract_model([NETWORK_IMAGE], [NETWORK_LOGITS])
    del network.graph.value_info[:]
    network.graph.output[0].type.tensor_type.ClearField("shape")
    images, _, *sides = network.graph.input[0].type.tensor_type.shape.dim
    images.dim_value = 1  # also where the network takes any number
    for side in sides:
        if not side.dim_value:
            side.dim_value = EXAMPLE_SIDE
    inferred = onnx.shape_inference.infer_shapes(network, data_prop=True)
    values = [*inferred.graph.input, *inferred.graph.value_info, *inferred.graph.output]
    return {value.name: shape_of(value) for value in values}
