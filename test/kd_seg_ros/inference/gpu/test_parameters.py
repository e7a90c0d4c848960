from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from distill.benchmarks.one_convolution import MEAN, STD, Kind, card
from distill.common.calibration_methods import PARAMETERS
from kd_seg_ros.inference.gpu.parameters import KernelParameters, NotFusedError


def parameters(method: str, values: dict[str, Any]) -> KernelParameters:
    return KernelParameters.of_card(
        replace(card(Kind(classes=2)), calibration={"method": method, "parameters": values})
    )


def test_normalisation_is_scale_and_shift_of_bytes() -> None:
    found = KernelParameters.of_card(card(Kind())).normalisation
    byte = np.array([0, 128, 255])[:, None]
    np.testing.assert_allclose(byte * found[:3] + found[3:], (byte / 255 - MEAN) / STD, rtol=1e-5)


def test_each_calibration_sets_its_own_numbers_and_leaves_the_others_neutral() -> None:
    neutral = np.ones(2), np.zeros(2), np.ones(2), 0
    for method, values, expected in (
        ("temperature", {"temperature": 0.5}, ([2, 2], *neutral[1:])),
        ("class_temperature", {"temperatures": [0.5, 4]}, (*neutral[:2], [2, 0.25], neutral[3])),
        (
            "adaptive_temperature",
            {"temperatures": [0.5, 4], "exponent": -0.5},
            (*neutral[:2], [2, 0.25], -0.5),
        ),
        ("vector", {"weights": [2, 3], "biases": [-1, 1]}, ([2, 3], [-1, 1], *neutral[2:])),
    ):
        found = parameters(method, values)
        assert found.exponent == expected[3]
        arrays = (found.scale, found.shift, found.inverse_temperature)
        for array, numbers in zip(arrays, expected[:3], strict=True):
            assert array.dtype == np.float32
            np.testing.assert_array_equal(array, numbers)
        assert set(values) == set(PARAMETERS[method])


def test_without_a_calibration_the_logits_stay() -> None:
    found = KernelParameters.of_card(card(Kind(classes=3)))
    np.testing.assert_array_equal(found.scale, 1)
    np.testing.assert_array_equal(found.shift, 0)


def test_an_unknown_calibration_or_one_of_other_classes_is_refused() -> None:
    with pytest.raises(NotFusedError, match="do not know the calibration 'isotonic'"):
        parameters("isotonic", {})
    with pytest.raises(NotFusedError, match="not one of 2 classes"):
        parameters("vector", {"weights": [1, 1, 1], "biases": [0, 0, 0]})
    with pytest.raises(NotFusedError, match="'adaptive_temperature' has damaged parameters"):
        parameters("adaptive_temperature", {"temperatures": [1, 1], "exponent": [0, 0]})
    with pytest.raises(NotFusedError, match="lacks 'biases'"):
        parameters("vector", {"weights": [1, 1]})
