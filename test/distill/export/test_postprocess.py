"""The nodes after the network against SciPy's softmax of OpenCV's resized logits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
import scipy.special
from calibrations import CALIBRATIONS
from onnx import TensorProto, helper
from onnx_parts import run_nodes

import distill.export.postprocess as onnx_postprocess
from distill.common.calibration_methods import PARAMETERS, Method
from distill.export.graph import GraphBuilder
from distill.export.interpolation import Upsampling, bilinear, upsampling
from distill.export.postprocess import add_postprocessing
from distill.export.surround import shape_of
from distill.models.logit_calibration import LogitCalibration
from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.inference.contract import OPSET
from kd_seg_ros.inference.session_start import session_options

CLASSES = 19
MAPS = {"mask": TensorProto.UINT8, "confidence": TensorProto.UINT8, "probability": TensorProto.FLOAT}


def run(
    logits: np.ndarray, up: Upsampling, calibration: LogitCalibration | None = None, scores: int = 0
) -> list[Any]:
    """Return mask, confidence, probability, and the scores of so many stripes."""
    graph = GraphBuilder("after/")
    add_postprocessing(graph, "logits", logits.shape[1], up, calibration)
    stripes = {f"scores.{number}": TensorProto.FLOAT for number in range(scores)}
    return run_nodes(graph, {"logits": logits}, MAPS | stripes)


def plain(low: tuple[int, int], size: tuple[int, int]) -> Upsampling:
    return Upsampling(bilinear(low[0], size[0]), bilinear(low[1], size[1]))


def random_logits(low: tuple[int, int], scale: float = 4.0) -> np.ndarray:
    return np.random.default_rng(0).normal(0, scale, (1, CLASSES, *low)).astype(np.float32)


def resized(logits: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    planes = [cv2.resize(p, size[::-1], interpolation=cv2.INTER_LINEAR) for p in logits[0]]
    return np.stack(planes).astype(np.float64)


def check(found: list[Any], calibrated: np.ndarray) -> None:
    """Compare with the softmax of calibrated logits [C, H, W]; a pixel may differ where two classes tie."""
    mask, confidence, probability = found[:3]
    assert (mask.dtype, confidence.dtype, probability.dtype) == (np.uint8, np.uint8, np.float32)
    second, first = np.partition(calibrated, -2, axis=0)[-2:]
    clear = first - second > 1e-4
    assert clear.mean() > 0.999
    np.testing.assert_array_equal(mask[clear], calibrated.argmax(0)[clear])
    expected = scipy.special.softmax(calibrated, axis=0).max(0)
    np.testing.assert_allclose(probability, expected, atol=2e-5)
    np.testing.assert_array_equal(confidence, np.round(255 * probability))


# Stride 4; a ratio that is no number of pixels; one axis or both kept; smaller; one pixel.
@pytest.mark.parametrize(
    ("low", "size"),
    [((9, 15), (36, 60)), ((7, 90), (33, 131)), ((20, 11), (20, 50)), ((8, 9), (8, 9)), ((9, 9), (5, 4)),
     ((1, 1), (1, 1))],
)  # fmt: skip
def test_softmax_of_resized_logits(low: tuple[int, int], size: tuple[int, int]) -> None:
    logits = random_logits(low)
    check(run(logits, plain(low, size)), resized(logits, size))


@pytest.mark.parametrize("method", PARAMETERS)
@pytest.mark.parametrize("pixels", [2**17, 300])
def test_calibrations_in_one_stripe_and_in_many(
    method: Method, pixels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_postprocess, "STRIPE_PIXELS", pixels)
    low, size = (9, 15), (36, 60)
    logits = random_logits(low)
    z = resized(logits, size)
    best = z.argmax(0)
    temperatures = np.array(CALIBRATIONS["class_temperature"].temperatures)[best]
    adaptive = CALIBRATIONS["adaptive_temperature"]
    uncalibrated = scipy.special.softmax(z, axis=0).max(0)
    adapted = np.array(adaptive.temperatures)[best] * uncalibrated**adaptive.exponent
    vector = CALIBRATIONS["vector"]
    column = (-1, 1, 1)
    calibrated = {
        "temperature": z / 0.6,
        "class_temperature": z / temperatures,
        "adaptive_temperature": z / adapted,
        "vector": z * np.reshape(vector.weights, column) + np.reshape(vector.biases, column),
    }[method]
    stripes = 1 if pixels > 10_000 else 7
    found = run(logits, plain(low, size), CALIBRATIONS[method], stripes)
    check(found, calibrated)
    scores = np.concatenate(found[3:])
    assert scores.shape == (size[0], CLASSES, size[1])
    softmax = scipy.special.softmax(calibrated, axis=0).transpose(1, 0, 2)
    np.testing.assert_allclose(scipy.special.softmax(scores, axis=1), softmax, atol=2e-5)
    np.testing.assert_array_equal(scores.max(axis=1), 0)
    np.testing.assert_allclose(1 / np.exp(scores).sum(axis=1), found[2], rtol=1e-5)


def test_the_optimiser_leaves_stripes_and_the_order_of_the_axes_as_they_are(tmp_path: Path) -> None:
    """With classes as the first axis, or all stripes cut at once, post-processing takes twice as long."""
    size = (64, 1024)
    graph = GraphBuilder("after/")
    add_postprocessing(graph, "logits", CLASSES, plain(size, size), CALIBRATIONS["vector"])
    proto = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "part",
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, CLASSES, *size])],
            [helper.make_tensor_value_info(name, kind, size) for name, kind in MAPS.items()],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=9,
    )
    options = session_options()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    optimised = onnx.shape_inference.infer_shapes(onnx.load(tmp_path / "optimised.onnx"))
    operators = [node.op_type for node in optimised.graph.node]
    assert "Split" not in operators
    assert operators.count("Slice") == operators.count("Transpose") == 2
    shapes = {value.name: shape_of(value) for value in optimised.graph.value_info}
    reduced = [shapes[node.output[0]] for node in optimised.graph.node if node.op_type == "ReduceMax"]
    assert reduced == [[32, 1, 1024]] * 4


def test_padding_and_two_resizings_are_undone_exactly() -> None:
    """Logits at stride 4 of 128×160, of which 97×131 are image, whose camera has 121×164."""
    steps = ((32, 128, 15, 97, 121), (40, 160, 14, 131, 164))
    logits = random_logits((32, 40))
    seen = resized(logits, (128, 160))[:, 15 : 15 + 97, 14 : 14 + 131].astype(np.float32)
    check(run(logits, Upsampling(*(upsampling(*step) for step in steps))), resized(seen[None], (121, 164)))


def test_wide_logits_are_resized_in_blocks() -> None:
    low, size = (3, 3 * onnx_postprocess.BLOCK_COLUMNS + 7), (5, 400)
    logits = random_logits(low)
    graph = GraphBuilder("after/")
    add_postprocessing(graph, "logits", CLASSES, plain(low, size))
    assert sum(node.op_type == "MatMul" for node in graph.nodes) == 4 + 2
    check(run(logits, plain(low, size)), resized(logits, size))


def test_the_first_of_equal_classes_wins() -> None:
    logits = np.full((1, 5, 2, 2), -1, np.float32)
    logits[0, [2, 3, 4], 0, 0] = 7
    logits[0, [1, 4], 0, 1] = 0
    mask, confidence, probability = run(logits, plain((2, 2), (2, 2)))
    np.testing.assert_array_equal(mask, [[2, 1], [0, 0]])
    np.testing.assert_allclose(probability[1], 0.2, rtol=1e-6)
    assert (confidence[1] == 51).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_extreme_logits_stay_finite(dtype: type[np.generic]) -> None:
    logits = np.zeros((1, 3, 2, 2), dtype)
    logits[0, 0, :, 0] = 60_000
    logits[0, 2, :, 1] = 60_000
    mask, _, probability = run(logits, plain((2, 2), (2, 9)))
    np.testing.assert_array_equal(mask, [[0] * 5 + [2] * 4] * 2)
    assert np.isfinite(probability).all()
    assert probability[0, 4] == pytest.approx(0.5)
    assert probability[0, 0] == 1


def test_two_hundred_classes() -> None:
    logits = np.random.default_rng(0).normal(0, 4, (1, 200, 3, 4)).astype(np.float32)
    check(run(logits, plain((3, 4), (6, 8))), resized(logits, (6, 8)))


def test_nothing_without_a_cuda_kernel_in_opset_18() -> None:
    known = {"Add", "Cast", "Concat", "Exp", "Gather", "Log", "MatMul", "Mul", "Reciprocal", "ReduceMax"}
    known |= {"Reshape", "Round", "Slice", "Squeeze", "Sub", "ThresholdedRelu", "Transpose"}
    for calibration in CALIBRATIONS.values():
        graph = GraphBuilder("after/")
        add_postprocessing(graph, "logits", CLASSES, plain((9, 15), (36, 60)), calibration)
        assert {node.op_type for node in graph.nodes} <= known
