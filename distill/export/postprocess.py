"""The nodes after the network: from its logits to mask, confidence and probability of every pixel.

What they compute is what :class:`~distill.models.deployed.DeployedModel` says. How they do it is about
memory: the logits of C classes at the camera's size are the largest tensor there is (19 × 1080 × 1920 floats,
158 MB), and every pass over it costs more than arithmetic. So

- the rows are made and used up in stripes of about :data:`STRIPE_PIXELS` pixels, which stay in the cache.
  Logits that have the image's size already are cut into stripes first;
- what is linear or the same for all classes happens on the small logits: w ⊙ z + b, 1/T, and the subtraction
  of the largest logit (softmax does not notice, as the weights of an interpolation add up to 1; rounding
  errors of the resizing are then in proportion to the distance from the best class, which matters where a
  GPU multiplies matrices in TF32);
- resizing is two matrix products (:mod:`distill.export.interpolation`), columns first, while there are few
  rows;
- classes are the middle axis, [rows, C, columns]: there ONNX Runtime's reductions are vectorised, and as the
  first axis they take fifteen times as long (:func:`_rows_first` sees to it that they stay in the middle);
- the sum over classes is a product with a row of ones.

With s_c = z_c − max z for a pixel, e_c = exp(s_c) is 1 for the best class and less for all others, so that::

    p_max = 1 / Σ_c e_c        mask = C − max_c { C − c if e_c = 1, else 0 }

s is at most 0: no e_c overflows, and none that matters underflows. Where several classes are best to within
the rounding of exp near 1 (6e-8), the first of them is the answer, as with argmax.

All operators have CUDA kernels up to opset 18; no shape depends on what the image shows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import TensorProto

from distill.common.calibration_methods import ADAPTIVE_TEMPERATURE, VECTOR
from distill.export.graph import GraphBuilder
from distill.export.interpolation import Matrix, Upsampling, is_identity, parts, support
from distill.models.logit_calibration import LogitCalibration
from kd_seg_ros.inference.contract import CONFIDENCE, MASK, PROBABILITY, scores_name

STRIPE_PIXELS = 2**15
"""About so many pixels are in a stripe: their scores for 19 classes are 2.5 MB, of which a processor's last
cache holds several. With 2**16 pixels the whole takes a tenth longer; 2**14 are as fast on one thread, but
their tasks are small for several (AMD EPYC, 19 classes)."""
BLOCK_COLUMNS = 32
"""Columns are resized in blocks that read about so many: the matrix is banded, most of it is 0. Larger blocks
multiply more zeros, smaller ones are put together from shorter pieces, and both take longer."""
NEARLY_ONE = 1 - 2**-23
"""An exponential above this is that of the best class, whose score is 0."""


def add_postprocessing(
    graph: GraphBuilder,
    logits: str,
    classes: int,
    upsampling: Upsampling,
    calibration: LogitCalibration | None = None,
) -> None:
    """Add the nodes that make the outputs of :mod:`kd_seg_ros.inference.contract` from the logits.

    :param logits: name of the network's output [1, C, h, w], float16 or float32.
    :param classes: C.
    """
    height, width = len(upsampling.rows), len(upsampling.columns)
    low = (upsampling.rows.shape[1], upsampling.columns.shape[1])
    bounds_of_stripes = parts(height, min(height, max(1, round(height * width / STRIPE_PIXELS))))
    if is_identity(upsampling.rows) and is_identity(upsampling.columns):
        # Nothing is resized.
        whole = [
            _plain_stripe(graph, logits, bounds, (classes, width), scores_name(number), calibration)
            for number, bounds in enumerate(bounds_of_stripes)
        ]
        add_maps(graph, whole, classes)
        return
    z = calibrated(graph, graph.add("Cast", logits, to=TensorProto.FLOAT), calibration)
    z = below_best(graph, _rows_first(graph, z, (low[0], classes, low[1])))
    z = _widened(graph, z, upsampling.columns)
    z = graph.add("Reshape", z, graph.integers(low[0], classes * width))

    # One stripe after the other, so that its scores stay in the cache.
    stripes = [
        _stripe(graph, z, upsampling.rows, bounds, (classes, width), scores_name(number), calibration)
        for number, bounds in enumerate(bounds_of_stripes)
    ]
    add_maps(graph, stripes, classes)


def calibrated(graph: GraphBuilder, z: str, calibration: LogitCalibration | None) -> str:
    """Apply to logits [C, h, w] or [1, C, h, w] what calibration does before the best class is known."""
    if calibration is None:
        return z
    if calibration.method == VECTOR:
        weights = graph.floats(np.reshape(calibration.weights, (-1, 1, 1)))
        biases = graph.floats(np.reshape(calibration.biases, (-1, 1, 1)))
        return graph.add("Add", graph.add("Mul", z, weights), biases)
    if calibration.temperature == 1:
        return z
    return graph.add("Mul", z, graph.floats(1 / calibration.temperature))


def _rows_first(graph: GraphBuilder, z: str, shape: tuple[int, int, int]) -> str:
    """Bring logits [1, C, h, w] into the order [h, C, w], which is ``shape``.

    The Reshape comes after the Transpose. Where a reduction follows a Transpose, ONNX Runtime's optimiser
    exchanges the two, to reduce first and transpose less, and classes would be the first axis again.
    """
    return graph.add("Reshape", graph.add("Transpose", z, perm=[0, 2, 1, 3]), graph.integers(*shape))


def below_best(graph: GraphBuilder, z: str, output: str = "") -> str:
    """Subtract from each of [rows, C, columns] the largest of its classes."""
    return graph.add("Sub", z, graph.add("ReduceMax", z, graph.integers(1), keepdims=1), output=output)


def _widened(graph: GraphBuilder, z: str, columns: Matrix) -> str:
    """Resize [h, C, w] to [h, C, W], in blocks of columns."""
    if is_identity(columns):
        return z
    blocks = []
    for start, end in parts(len(columns), -(-columns.shape[1] // BLOCK_COLUMNS)):
        first, last = support(columns[start:end])
        block = graph.add("Slice", z, graph.integers(first), graph.integers(last), graph.integers(2))
        blocks.append(graph.add("MatMul", block, graph.floats(columns[start:end, first:last].T)))
    return graph.add("Concat", *blocks, axis=2)


def _plain_stripe(
    graph: GraphBuilder,
    logits: str,
    bounds: tuple[int, int],
    shape: tuple[int, int],
    scores: str,
    calibration: LogitCalibration | None,
) -> tuple[str, str]:
    """Cut some rows out of logits [1, C, H, W], and return what :func:`answer` does for them.

    The arguments are those of :func:`_stripe`.
    """
    start, end = bounds
    classes, width = shape
    # The classes are named too, though all are taken: from slices along one axis that make up the whole, ONNX
    # Runtime makes a single Split, which copies all logits before the first stripe is worked on.
    upper_left, lower_right = graph.integers(0, start), graph.integers(classes, end)
    z = graph.add("Slice", logits, upper_left, lower_right, graph.integers(1, 2))
    z = calibrated(graph, graph.add("Cast", z, to=TensorProto.FLOAT), calibration)
    z = _rows_first(graph, z, (end - start, classes, width))
    return answer(graph, z, classes, scores, calibration)


def _stripe(
    graph: GraphBuilder,
    z: str,
    rows: Matrix,
    bounds: tuple[int, int],
    shape: tuple[int, int],
    scores: str,
    calibration: LogitCalibration | None,
) -> tuple[str, str]:
    """Resize [h, C·W] to some rows of the image, and return what :func:`answer` does for them.

    :param bounds: the first row, and the row after the last.
    :param shape: (C, W).
    """
    start, end = bounds
    first, last = support(rows[start:end])
    z = graph.add("Slice", z, graph.integers(first), graph.integers(last), graph.integers(0))
    if not is_identity(rows[start:end, first:last]):
        z = graph.add("MatMul", graph.floats(rows[start:end, first:last]), z)
    z = graph.add("Reshape", z, graph.integers(end - start, *shape))
    return answer(graph, z, shape[0], scores, calibration)


def answer(
    graph: GraphBuilder, z: str, classes: int, scores: str, calibration: LogitCalibration | None
) -> tuple[str, str]:
    """Return C − mask and Σ e, float32 [rows, 1, W] each, of logits [rows, C, W].

    :param scores: name that s, [rows, C, W], gets in the graph.
    """
    by_class = calibration is not None and len(calibration.temperatures) > 0
    s = below_best(graph, z, "" if by_class else scores)
    e = graph.add("Exp", s)
    # C − mask: where e is 1, to within rounding, C minus the class; the largest belongs to the first class.
    best = graph.add("ThresholdedRelu", e, alpha=NEARLY_ONE)
    best = graph.add("Mul", best, graph.floats(np.arange(classes, 0, -1)[:, None]))
    best = graph.add("ReduceMax", best, graph.integers(1), keepdims=1)
    ones = graph.floats(np.ones((1, classes)))
    if by_class:
        assert calibration is not None
        # The temperature of the best class divides all scores of the pixel.
        table = graph.floats(1 / np.array([1, *reversed(calibration.temperatures)]))  # by C − mask
        inverse = graph.add("Gather", table, graph.add("Cast", best, to=TensorProto.INT32))
        if calibration.method == ADAPTIVE_TEMPERATURE:
            # 1 / (T · p^γ), where 1 / p is the sum without calibration. Pow would take twice as long.
            log_sum = graph.add("Log", graph.add("MatMul", ones, e))
            power = graph.add("Exp", graph.add("Mul", log_sum, graph.floats(calibration.exponent)))
            inverse = graph.add("Mul", inverse, power)
        e = graph.add("Exp", graph.add("Mul", s, inverse, output=scores))
    return best, graph.add("MatMul", ones, e)


def add_maps(graph: GraphBuilder, stripes: Sequence[tuple[str, str]], classes: int) -> None:
    """Make the file's outputs [H, W] of what :func:`answer` returns for all stripes, from the top."""
    best = graph.add("Concat", *[best for best, _ in stripes], axis=0)
    best = graph.add("Squeeze", best, graph.integers(1))
    total = graph.add("Concat", *[total for _, total in stripes], axis=0)
    total = graph.add("Squeeze", total, graph.integers(1))
    mask = graph.add("Sub", graph.floats(classes), best)
    graph.add("Cast", mask, to=TensorProto.UINT8, output=MASK)
    probability = graph.add("Reciprocal", total, output=PROBABILITY)
    rounded = graph.add("Round", graph.add("Mul", probability, graph.floats(255)))
    graph.add("Cast", rounded, to=TensorProto.UINT8, output=CONFIDENCE)
