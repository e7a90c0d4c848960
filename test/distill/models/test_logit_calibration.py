from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import softmax

from distill.common.calibration_methods import PARAMETERS, Method
from distill.models.logit_calibration import LogitCalibration

EXAMPLES: dict[Method, LogitCalibration] = {
    "temperature": LogitCalibration("temperature", temperature=1.7),
    "class_temperature": LogitCalibration("class_temperature", temperatures=(0.5, 2.0, 1.25)),
    "adaptive_temperature": LogitCalibration(
        "adaptive_temperature", temperatures=(0.5, 2.0, 1.25), exponent=-0.7
    ),
    "vector": LogitCalibration("vector", weights=(1.0, 0.5, 2.0), biases=(0.0, -1.0, 3.0)),
}
LOGITS = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0)) * 3


def by_hand(method: Method, z: np.ndarray) -> np.ndarray:
    """Calibrated logits of one pixel [3], as the formulas say."""
    if method == "temperature":
        return z / 1.7
    if method == "class_temperature":
        return z / (0.5, 2.0, 1.25)[int(z.argmax())]
    if method == "adaptive_temperature":
        confidence = softmax(z.astype(np.float64)).max()
        return z / ((0.5, 2.0, 1.25)[int(z.argmax())] * confidence**-0.7)
    return np.array([1.0, 0.5, 2.0]) * z + np.array([0.0, -1.0, 3.0])


@pytest.mark.parametrize("method", PARAMETERS)
def test_every_pixel_is_calibrated_by_the_formula(method: Method) -> None:
    calibrated = EXAMPLES[method].apply(LOGITS)
    expected = np.apply_along_axis(lambda z: by_hand(method, z), 0, LOGITS.numpy())
    np.testing.assert_allclose(calibrated, expected, rtol=1e-5)
    np.testing.assert_allclose(calibrated.softmax(0), softmax(expected, axis=0), rtol=1e-5)
    flat = EXAMPLES[method].apply(LOGITS.flatten(1))  # pixels in a row, as they are drawn
    torch.testing.assert_close(flat, calibrated.flatten(1))


def test_all_temperatures_keep_the_mask_and_vector_scaling_need_not() -> None:
    mask = LOGITS.argmax(0)
    assert {int(k) for k in mask.unique()} == {0, 1, 2}
    for method in ("temperature", "class_temperature", "adaptive_temperature"):
        assert (EXAMPLES[method].apply(LOGITS).argmax(0) == mask).all()
    assert (EXAMPLES["vector"].apply(LOGITS).argmax(0) != mask).any()


def test_left_out_it_changes_nothing() -> None:
    torch.testing.assert_close(LogitCalibration().apply(LOGITS), LOGITS, rtol=0, atol=0)


def test_an_exponent_of_0_is_the_temperature_of_the_class() -> None:
    plain = EXAMPLES["class_temperature"]
    same = LogitCalibration("adaptive_temperature", temperatures=plain.temperatures)
    assert torch.equal(same.apply(LOGITS), plain.apply(LOGITS))


@pytest.mark.parametrize("method", PARAMETERS)
def test_survives_the_trip_through_json(method: Method) -> None:
    text = json.dumps(EXAMPLES[method].parameters())
    assert LogitCalibration.parse(method, json.loads(text)) == EXAMPLES[method]


@pytest.mark.parametrize(
    ("method", "parameters", "message"),
    [
        (
            "platt",
            {},
            "unknown method 'platt': choose from temperature, class_temperature, "
            "adaptive_temperature, vector",
        ),
        (None, {}, "unknown method None"),
        ([], {}, "unknown method"),
        ("temperature", {}, "the parameters of temperature are temperature"),
        ("temperature", [1.0], "the parameters of temperature are temperature"),
        ("temperature", {"temperature": 0}, "above 0"),
        ("temperature", {"temperature": -1.5}, "above 0"),
        ("temperature", {"temperature": "1"}, "must be numbers"),
        ("temperature", {"temperature": True}, "must be numbers"),
        ("temperature", {"temperature": float("nan")}, "must be numbers"),
        ("temperature", {"temperature": [1.0]}, "must be one number"),
        ("temperature", {"temperature": 1.0, "biases": [1.0]}, "the parameters of temperature are"),
        ("class_temperature", {"temperatures": []}, "for every class"),
        ("class_temperature", {"temperatures": 1.0}, "must be a list"),
        ("class_temperature", {"temperatures": [1.0, 0.0]}, "above 0"),
        ("class_temperature", {"temperatures": [1.0, None]}, "must be numbers"),
        ("adaptive_temperature", {"temperatures": [1.0, 2.0]}, "the parameters of adaptive_temperature are"),
        ("adaptive_temperature", {"temperatures": [1.0, 0.0], "exponent": 0.0}, "above 0"),
        ("adaptive_temperature", {"temperatures": [], "exponent": 0.0}, "for every class"),
        ("adaptive_temperature", {"temperatures": [1.0], "exponent": [0.0]}, "must be one number"),
        ("adaptive_temperature", {"temperatures": [1.0], "exponent": float("inf")}, "must be numbers"),
        ("vector", {"weights": [1.0]}, "the parameters of vector are weights, biases"),
        ("vector", {"weights": [1.0], "biases": [1.0, 2.0]}, "for every class"),
        ("vector", {"weights": [], "biases": []}, "for every class"),
        ("vector", {"weights": [1.0], "biases": [float("inf")]}, "must be numbers"),
    ],
)
def test_impossible_parameters_are_refused(method: Any, parameters: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LogitCalibration.parse(method, parameters)


def test_parameters_of_another_method_are_refused() -> None:
    with pytest.raises(ValueError, match="vector has no temperature"):
        LogitCalibration("vector", temperature=2.0, weights=(1.0,), biases=(0.0,))
