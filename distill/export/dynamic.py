"""Pre- and post-processing nodes of a file that takes images of any size.

They compute what those of :mod:`distill.export.preprocess` and :mod:`distill.export.postprocess` do, except
that sizes are not numbers in the file: nodes compute them from the image, once per image. Columns are resized
by the operator Resize, step by step, while there are few rows. Rows are resized by the matrix of
:mod:`distill.export.interpolation`, made in double precision; each stripe of the image uses the band of it
that is not 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto

from distill.export.graph import GraphBuilder
from distill.export.postprocess import add_maps, answer, below_best, calibrated
from distill.export.preprocess import normalised
from kd_seg_ros.inference.contract import IMAGE, scores_name

if TYPE_CHECKING:
    from distill.models.logit_calibration import LogitCalibration

STRIPES = 16
"""Number of stripes that the image is cut into, whatever its size; the image must have as many rows."""


class Sizes:
    """Names of the sizes of one image, int64 [2] each (height, width), as nodes of the graph compute them."""

    def __init__(self, graph: GraphBuilder, scale: float, multiple: int) -> None:
        """Add the nodes that compute the sizes.

        :param scale: the network sees the image resized by this factor,
        :param multiple: padded to multiples of this.
        """
        shape = graph.add("Shape", IMAGE)
        self.image = graph.add("Slice", shape, graph.integers(0), graph.integers(2))
        """Size of the camera's image."""
        scaled = graph.add("Mul", _double(graph, self.image), _number(graph, scale))
        self.working = graph.add("Cast", graph.add("Round", scaled), to=TensorProto.INT64)
        """Size of the image as the network sees it, without padding."""

        # The padding brings both sides to a multiple: −working mod multiple, the smaller half of it before.
        extra = graph.add("Mod", graph.add("Neg", self.working), graph.integers(multiple))
        self.before = graph.add("Div", extra, graph.integers(2))
        """Padding above and to the left."""
        self.after = graph.add("Sub", extra, self.before)
        """Padding below and to the right."""
        self.padded = graph.add("Add", self.working, extra)
        """Size of what the network sees, with padding."""


def add_preprocessing(
    graph: GraphBuilder, sizes: Sizes, mean: Sequence[float], std: Sequence[float], dtype: int, output: str
) -> None:
    """Add the nodes that make the network's padded input [1, 3, h, w] of the image.

    :param mean: RGB, 0…1, as is ``std``.
    :param dtype: type of the network's input, by :class:`onnx.TensorProto`.
    :param output: name of the network's input.
    """
    planes = graph.integers(1, 3)
    x = normalised(graph, mean, std)
    x = graph.add("Reshape", x, graph.add("Concat", planes, sizes.image, axis=0))
    x = graph.add("Resize", x, "", "", graph.add("Concat", planes, sizes.working, axis=0), mode="linear")
    none = graph.integers(0, 0)
    x = graph.add("Pad", x, graph.add("Concat", none, sizes.before, none, sizes.after, axis=0))
    graph.add("Cast", x, to=dtype, output=output)


def add_postprocessing(
    graph: GraphBuilder, sizes: Sizes, logits: str, classes: int, calibration: LogitCalibration | None
) -> None:
    """Add the nodes that make the file's outputs of the network's logits [1, C, h, w].

    :param logits: name of the network's output.
    :param classes: C.
    """
    z = graph.add("Cast", logits, to=TensorProto.FLOAT)
    low = graph.add("Slice", graph.add("Shape", z), graph.integers(2), graph.integers(4))
    # What is cheap while there are few pixels: calibration, subtracting the best class, resizing columns.
    z = calibrated(graph, graph.add("Squeeze", z, graph.integers(0)), calibration)
    z = below_best(graph, graph.add("Transpose", z, perm=[1, 0, 2]))
    z = _widened(graph, sizes, z)

    # Stripe by stripe: rows of the image = band of the matrix × the rows of the logits that it reads.
    rows = _row_matrix(graph, sizes, low)
    edges, first, last = _bands(graph, sizes, low)
    stripes = []
    for number in range(STRIPES):
        start, end = _element(graph, edges, number), _element(graph, edges, number + 1)
        top, bottom = _element(graph, first, number), _element(graph, last, number)
        upper_left = graph.add("Concat", start, top, axis=0)
        lower_right = graph.add("Concat", end, bottom, axis=0)
        band = graph.add("Slice", rows, upper_left, lower_right)
        used = graph.add("Slice", z, top, bottom, graph.integers(0))
        flat = graph.add("Flatten", used, axis=1)
        shape = graph.add("Concat", graph.integers(-1, classes), _element(graph, sizes.image, 1), axis=0)
        stripe = graph.add("Reshape", graph.add("MatMul", band, flat), shape)
        stripes.append(answer(graph, stripe, classes, scores_name(number), calibration))
    add_maps(graph, stripes, classes)


def _widened(graph: GraphBuilder, sizes: Sizes, z: str) -> str:
    """Resize [h, C, w] to the padded width, crop the padding, and resize [h, C, W] to the image's."""
    z = graph.add("Unsqueeze", z, graph.integers(0))
    kept = graph.add("Shape", z, end=3)
    before, working = _element(graph, sizes.before, 1), _element(graph, sizes.working, 1)
    z = _resized(graph, z, kept, _element(graph, sizes.padded, 1))
    z = graph.add("Slice", z, before, graph.add("Add", before, working), graph.integers(3))
    z = _resized(graph, z, kept, _element(graph, sizes.image, 1))
    return graph.add("Squeeze", z, graph.integers(0))


def _resized(graph: GraphBuilder, z: str, kept: str, width: str) -> str:
    return graph.add("Resize", z, "", "", graph.add("Concat", kept, width, axis=0), mode="linear")


def _row_matrix(graph: GraphBuilder, sizes: Sizes, low: str) -> str:
    """Return the matrix from the logits' rows to the image's, float32 [H, h].

    It is the product of two resizings. The outer one, from the network's rows to the image's, has two entries
    per row; so its product with the inner one is a blend of two rows of the inner matrix.
    """
    before, working = _element(graph, sizes.before, 0), _element(graph, sizes.working, 0)
    # The inner matrix: from the logits to what the network saw, of which the padding is cut off.
    inner = _bilinear(graph, _element(graph, low, 0), _element(graph, sizes.padded, 0))
    inner = graph.add("Slice", inner, before, graph.add("Add", before, working), graph.integers(0))
    # The outer one: row i of the image lies at x_i, between two rows of what the network saw.
    image = _element(graph, sizes.image, 0)
    x = _sources(graph, _range(graph, image), working, image)
    lower = graph.add("Floor", x)
    upper = graph.add("Min", graph.add("Add", lower, _number(graph, 1)), _last(graph, working))
    weight = graph.add("Unsqueeze", graph.add("Sub", x, lower), graph.integers(1))
    above = graph.add("Gather", inner, graph.add("Cast", lower, to=TensorProto.INT64))
    below = graph.add("Gather", inner, graph.add("Cast", upper, to=TensorProto.INT64))
    more = graph.add("Mul", graph.add("Sub", below, above), weight)
    return graph.add("Cast", graph.add("Add", above, more), to=TensorProto.FLOAT)


def _bilinear(graph: GraphBuilder, source: str, target: str) -> str:
    """Return the matrix of :func:`distill.export.interpolation.bilinear`, float64 [target, source].

    :param source: number of samples before the resizing, int64 [1]; ``target``: after it.
    """
    x = _sources(graph, _range(graph, target), source, target)
    away = graph.add("Sub", graph.add("Unsqueeze", x, graph.integers(1)), _range(graph, source))
    return graph.add("Relu", graph.add("Sub", _number(graph, 1), graph.add("Abs", away)))


def _sources(graph: GraphBuilder, i: str, source: str, target: str) -> str:
    """Return where samples ``i`` (float64) of a resizing read their source, float64.

    It is the x_i of :mod:`distill.export.interpolation`.

    :param source: number of samples before the resizing, int64 [1]; ``target``: after it.
    """
    n, half = _double(graph, source), _number(graph, 0.5)
    ratio = graph.add("Div", n, _double(graph, target))
    x = graph.add("Sub", graph.add("Mul", graph.add("Add", i, half), ratio), half)
    return graph.add("Min", graph.add("Max", x, _number(graph, 0)), _last(graph, source))


def _last(graph: GraphBuilder, length: str) -> str:
    """Return the index of the last sample, float64 [1]."""
    return graph.add("Sub", _double(graph, length), _number(graph, 1))


def _bands(graph: GraphBuilder, sizes: Sizes, low: str) -> tuple[str, str, str]:
    """Return the rows where stripes begin and end, and the rows of the logits that each stripe reads.

    :return: rows of the image, int64 [:data:`STRIPES` + 1]; for each stripe the first row of the logits that
        it reads, int64 [:data:`STRIPES`], and the row after the last, which may lie beyond the logits: a
        Slice ends with them.
    """
    image = _element(graph, sizes.image, 0)
    steps = graph.integers(*range(STRIPES + 1))
    edges = graph.add("Div", graph.add("Mul", steps, image), graph.integers(STRIPES))
    starts = graph.add("Slice", edges, graph.integers(0), graph.integers(STRIPES))
    ends = graph.add("Slice", edges, graph.integers(1), graph.integers(STRIPES + 1))
    ends = graph.add("Sub", ends, graph.integers(1))
    return edges, _row_read(graph, sizes, low, starts, 0), _row_read(graph, sizes, low, ends, 1)


def _row_read(graph: GraphBuilder, sizes: Sizes, low: str, rows: str, more: int) -> str:
    """Return the row of the logits that each of some rows of the image reads first, int64.

    :param rows: rows of the image, int64.
    :param more: 1 for the row after the last one that is read instead.
    """
    image, working = _element(graph, sizes.image, 0), _element(graph, sizes.working, 0)
    padded, logits = _element(graph, sizes.padded, 0), _element(graph, low, 0)
    # From a row of the image to one of what the network saw; a blend reads the next row too.
    seen = _sources(graph, _double(graph, rows), working, image)
    seen = graph.add("Add", graph.add("Floor", seen), _number(graph, more))
    seen = graph.add("Add", seen, _double(graph, _element(graph, sizes.before, 0)))
    # From there to a row of the logits, again with the next one.
    x = graph.add("Floor", _sources(graph, seen, logits, padded))
    return graph.add("Cast", graph.add("Add", x, _number(graph, 2 * more)), to=TensorProto.INT64)


def _range(graph: GraphBuilder, length: str) -> str:
    """Return 0.0, 1.0 … ``length`` − 1 in float64."""
    limit = graph.add("Squeeze", length)
    zero, one = graph.constant(0, np.int64), graph.constant(1, np.int64)
    return _double(graph, graph.add("Range", zero, limit, one))


def _element(graph: GraphBuilder, vector: str, index: int) -> str:
    return graph.add("Slice", vector, graph.integers(index), graph.integers(index + 1))


def _double(graph: GraphBuilder, value: str) -> str:
    return graph.add("Cast", value, to=TensorProto.DOUBLE)


def _number(graph: GraphBuilder, value: float) -> str:
    return graph.constant(value, np.float64)
