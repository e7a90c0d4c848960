"""The kernels, compiled for the host, against the nodes of the model file that they take the place of."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from host_device import HostDevice, half_of
from numpy.typing import NDArray

from distill.benchmarks.one_convolution import Kind, card, model_file
from distill.common.calibration_methods import (
    ADAPTIVE_TEMPERATURE,
    CLASS_TEMPERATURE,
    PARAMETERS,
    TEMPERATURE,
    VECTOR,
)
from distill.models.logit_calibration import LogitCalibration
from kd_seg_ros.inference.contract import IMAGE, NETWORK_LOGITS, OUTPUTS
from kd_seg_ros.inference.gpu.fused_binding import FusedBinding
from kd_seg_ros.inference.gpu.split_file import SplitFile

ODD = Kind(size=(37, 53), scale=0.7, multiple=8)
"""Every step resizes or pads by an odd number."""


class Kernels:
    """The kernels on the host, and the file's nodes on the CPU, for one kind of file."""

    def __init__(self, kind: Kind) -> None:
        split = SplitFile.of_file(model_file(kind))
        providers = ["CPUExecutionProvider"]
        network = ort.InferenceSession(split.network, providers=providers)
        self._after = ort.InferenceSession(split.after, providers=providers)
        self.before = ort.InferenceSession(split.before, providers=providers)
        self.binding = FusedBinding(HostDevice(), network, card(kind))
        self.image = np.random.default_rng(5).integers(0, 256, (*kind.size, 3), dtype=np.uint8)

    def random_logits(self, spread: float = 4.0) -> NDArray[Any]:
        shape, dtype = self.binding.logits
        return np.random.default_rng(6).normal(0, spread, shape).astype(dtype)

    def answer(self, logits: NDArray[Any]) -> dict[str, NDArray[Any]]:
        found = {name: np.empty(self.image.shape[:2], dtype) for name, dtype in OUTPUTS.items()}
        self.binding.run_kernels(self.image, False, logits, found)
        return found

    def expected(self, logits: NDArray[Any]) -> dict[str, NDArray[Any]]:
        feeds = {NETWORK_LOGITS: logits, IMAGE: self.image}
        taken = {tensor.name: feeds[tensor.name] for tensor in self._after.get_inputs()}
        return dict(zip(OUTPUTS, self._after.run(list(OUTPUTS), taken), strict=True))


def check(kernels: Kernels, logits: NDArray[Any], clear: float = 1.0, rounding: float = 1e-5) -> None:
    """Compare: confidence within 1, and the same class but where two are equal to within rounding.

    :param clear: the least part of the pixels that must have the same class.
    :param rounding: largest difference of the probability.
    """
    found, expected = kernels.answer(logits), kernels.expected(logits)
    assert np.mean(found["mask"] == expected["mask"]) >= clear
    np.testing.assert_allclose(found["confidence"].astype(int), expected["confidence"], atol=1)
    np.testing.assert_allclose(found["probability"], expected["probability"], atol=rounding)
    np.testing.assert_array_equal(found["confidence"], np.round(255 * found["probability"]))


def calibration_of(method: str, classes: int) -> LogitCalibration:
    steps = np.linspace(0.4, 2.5, classes)
    return {
        TEMPERATURE: LogitCalibration(TEMPERATURE, temperature=0.6),
        CLASS_TEMPERATURE: LogitCalibration(CLASS_TEMPERATURE, temperatures=tuple(steps)),
        ADAPTIVE_TEMPERATURE: LogitCalibration(
            ADAPTIVE_TEMPERATURE, temperatures=tuple(steps), exponent=-0.8
        ),
        VECTOR: LogitCalibration(VECTOR, weights=tuple(steps), biases=tuple(np.linspace(-2, 2, classes))),
    }[method]


@pytest.mark.parametrize("method", [None, *PARAMETERS])
def test_every_calibration(method: str | None) -> None:
    calibration = calibration_of(method, 5) if method else None
    kernels = Kernels(Kind(size=(37, 53), scale=0.7, multiple=8, calibration=calibration))
    check(kernels, kernels.random_logits(), clear=0.999)


@pytest.mark.parametrize("classes", [1, 2, 19, 33, 255])
def test_few_classes_and_many(classes: int) -> None:
    kernels = Kernels(Kind(size=(21, 18), classes=classes))
    check(kernels, kernels.random_logits(), clear=0.999)


@pytest.mark.parametrize(
    "kind",
    [
        Kind(size=(33, 47), half=False),
        Kind(size=(30, 47), scale=0.5, stride=1),
        Kind(size=(17, 25), scale=1.6, stride=8, multiple=32),
        Kind(size=(45, 61), multiple=32, stride=8),
        Kind(size=(37, 53), scale=0.7, multiple=8, dynamic=True),
        Kind(size=(16, 1), stride=1),
    ],
    ids=str,
)
def test_single_precision_strides_scales_padding_and_open_sizes(kind: Kind) -> None:
    """Where ONNX Runtime resizes by coordinates in single precision, both differ by more."""
    kernels = Kernels(kind)
    check(kernels, kernels.random_logits(), clear=0.999, rounding=1e-3 if kind.dynamic else 1e-5)


@pytest.mark.parametrize(
    "kind", [ODD, Kind(size=(37, 53), scale=0.7, multiple=8, dynamic=True), Kind(half=False)]
)
@pytest.mark.parametrize("bgr", [False, True])
def test_the_networks_image(kind: Kind, bgr: bool) -> None:
    kernels = Kernels(kind)
    logits = kernels.random_logits()
    found = kernels.binding.run_kernels(kernels.image, bgr, logits, {})
    rgb = np.ascontiguousarray(kernels.image[..., ::-1]) if bgr else kernels.image
    (expected,) = kernels.before.run(None, {IMAGE: rgb})
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found.astype(np.float32), expected.astype(np.float32), atol=2e-3)
    assert np.mean(found == 0) == pytest.approx(np.mean(expected == 0), abs=1e-3)  # the padding


def test_the_first_of_equal_classes_wins() -> None:
    kernels = Kernels(ODD)
    logits = np.zeros_like(kernels.random_logits())
    found = kernels.answer(logits)
    assert not found["mask"].any()
    assert (found["confidence"] == 51).all()
    logits[0, [2, 4]] = 3
    check(kernels, logits)
    assert (kernels.answer(logits)["mask"] == 2).all()


@pytest.mark.parametrize("half", [False, True])
def test_extreme_logits(half: bool) -> None:
    """Large numbers of which the differences are small, and differences that no exponential holds."""
    kernels = Kernels(Kind(size=(37, 53), scale=0.7, multiple=8, half=half))
    logits = kernels.random_logits(1.0)
    shape = logits.shape
    logits[:] = 1000 + np.random.default_rng(7).integers(0, 8, shape)
    check(kernels, logits, clear=0.99)
    logits[:] = np.random.default_rng(8).choice([-60_000, 0, 60_000], shape)
    check(kernels, logits, clear=0.99, rounding=1e-2)
    if not half:
        logits[:] = 3e6 + np.random.default_rng(9).integers(-8, 8, shape)
        check(kernels, logits, clear=0.99)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_has_no_confidence(bad: float) -> None:
    """As by the file's nodes, a pixel that reads such a logit has confidence 0; its class is the model's."""
    kernels = Kernels(Kind(size=(8, 12), stride=1))
    logits = kernels.random_logits()
    logits[0, 2, 3, 4] = bad
    found, expected = kernels.answer(logits), kernels.expected(logits)
    here = np.zeros((8, 12), bool)
    here[3, 4] = True
    np.testing.assert_array_equal(np.isnan(found["probability"]), np.isnan(expected["probability"]))
    assert np.isnan(found["probability"]).any() == (bad != -np.inf)
    np.testing.assert_allclose(found["confidence"].astype(int), expected["confidence"], atol=1)
    np.testing.assert_array_equal(found["mask"][~here], expected["mask"][~here])
    assert found["mask"].max() < 5
    logits[:] = np.nan
    found = kernels.answer(logits)
    assert not found["mask"].any()
    assert not found["confidence"].any()


def test_probability_is_left_alone_unless_wanted() -> None:
    kernels = Kernels(ODD)
    logits = kernels.random_logits()
    before = kernels.answer(logits)
    other = {name: np.empty_like(before[name]) for name in ("mask", "confidence")}
    kernels.binding.run_kernels(kernels.image, False, logits, other)
    for name, array in other.items():
        np.testing.assert_array_equal(array, before[name])


def test_half_precision_of_the_host_is_numpys() -> None:
    """What the comparisons above stand on."""
    macros = dict.fromkeys(("IMAGE_ROW_TAPS", "IMAGE_COLUMN_TAPS", "ROW_TAPS", "COLUMN_TAPS"), 1)
    macros |= {"CLASSES": 5, "IMAGE_HALF": 1, "LOGITS_HALF": 1, "ADAPTIVE": 0}
    finite = np.arange(0x7C00, dtype=np.uint16).view(np.float16)[::7].astype(np.float32)
    between = (finite[1:] + finite[:-1]) / 2
    limits = np.array([65504, 65519.9, 65520, np.inf, -np.inf, 2**-25, 2**-24 * 1.5, -0.0], np.float32)
    values = np.concatenate([finite, -finite, between, limits])
    with np.errstate(over="ignore"):
        expected = values.astype(np.float16)
    np.testing.assert_array_equal(half_of(values, macros).view(np.uint16), expected.view(np.uint16))
