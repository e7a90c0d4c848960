"""The nodes before the network: from the camera's uint8 image to the network's input.

Layout, channel order and normalisation are one matrix product per pixel. With a the camera's pixel (three
channels in its own order), P the permutation that makes it RGB, and mean and std of RGB in 0 … 1::

    x = A a + b        A = diag(1 / (255 std)) · P        b = −mean / std

P comes from the input ``channels``, which has a default and changes A only, nine numbers: the order of a bgr8
camera costs nothing. mean is not folded into the network's first convolution: that would be wrong at the
borders, where the convolution pads with 0 of *normalised* pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import TensorProto

from distill.export.graph import GraphBuilder
from distill.export.interpolation import Padding
from kd_seg_ros.inference.contract import CHANNELS, IMAGE


def add_preprocessing(
    graph: GraphBuilder,
    size: tuple[int, int],
    padding: Padding,
    mean: Sequence[float],
    std: Sequence[float],
    dtype: int,
    output: str,
) -> None:
    """Add the nodes that make the network's input of the image.

    :param size: (H, W) of the camera's image.
    :param padding: the size that the image is resized to, bilinearly, and the zeros around that.
    :param mean: RGB, 0…1, as is ``std``.
    :param dtype: type of the network's input, by :class:`onnx.TensorProto`.
    :param output: name of the network's input [1, 3, h, w].
    """
    x = graph.add("Reshape", normalised(graph, mean, std), graph.integers(1, 3, *size))
    if padding.working != size:
        x = graph.add("Resize", x, "", "", graph.integers(1, 3, *padding.working), mode="linear")
    if padding.padded != padding.working:
        x = graph.add("Pad", x, graph.integers(0, 0, *padding.before, 0, 0, *padding.after))
    graph.add("Cast", x, to=dtype, output=output)


def normalised(graph: GraphBuilder, mean: Sequence[float], std: Sequence[float]) -> str:
    """Return the normalised image as planes, float32 [3, H·W]."""
    scale, shift = 1 / (255 * np.asarray(std)), -np.asarray(mean) / np.asarray(std)
    # A: the columns of diag(scale) in the order of the image's channels.
    matrix = graph.add("Gather", graph.floats(np.diag(scale)), CHANNELS, axis=1)
    # Gemm with the transposed pixels [H·W, 3] also brings the channels to the front.
    pixels = graph.add("Cast", IMAGE, to=TensorProto.FLOAT)
    pixels = graph.add("Reshape", pixels, graph.integers(-1, 3))
    return graph.add("Gemm", matrix, pixels, graph.floats(shift[:, None]), transB=1)
