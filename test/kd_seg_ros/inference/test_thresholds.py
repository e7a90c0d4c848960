"""Leaving out pixels of low confidence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kd_seg_ros.inference.thresholds import apply_min_confidence, min_confidence_levels

RNG = np.random.default_rng(0)
MASK = RNG.integers(0, 19, (16, 40), np.uint8)
CONFIDENCE = RNG.permutation(np.arange(640) % 256).astype(np.uint8).reshape(16, 40)


def abstained(
    threshold: float, by_class: list[float] | None = None, ignore_id: int = 255
) -> NDArray[np.uint8]:
    mask = MASK.copy()
    apply_min_confidence(mask, CONFIDENCE, min_confidence_levels(threshold, by_class or []), ignore_id)
    return mask


# Thresholds that no published confidence is equal to, rounding apart.
THRESHOLDS = st.floats(0, 1).filter(lambda t: abs(255 * t - round(255 * t)) > 1e-6)


@given(THRESHOLDS, st.sampled_from([255, 19, 128]))
def test_pixels_below_the_threshold_have_no_class(threshold: float, ignore_id: int) -> None:
    expected = np.where(threshold > CONFIDENCE / 255, ignore_id, MASK)
    np.testing.assert_array_equal(abstained(threshold, ignore_id=ignore_id), expected)


@given(THRESHOLDS, st.lists(THRESHOLDS, min_size=19, max_size=19))
def test_each_class_has_the_higher_of_two_thresholds(threshold: float, by_class: list[float]) -> None:
    lowest = np.maximum(threshold, np.array(by_class))[MASK]
    expected = np.where(lowest > CONFIDENCE / 255, 255, MASK)
    np.testing.assert_array_equal(abstained(threshold, by_class), expected)


@pytest.mark.parametrize("level", [1, 51, 128, 255])
def test_a_pixel_at_the_threshold_stays(level: int) -> None:
    kept = abstained(level / 255)
    assert (kept[level == CONFIDENCE] != 255).all()
    assert (kept[level - 1 == CONFIDENCE] == 255).all()


def test_without_a_threshold_nothing_is_done() -> None:
    np.testing.assert_array_equal(abstained(0.0, [0.0] * 19), MASK)


@pytest.mark.parametrize("beyond", [1 + 5e-7, -5e-7])
def test_what_ros_lets_pass_beyond_the_limits_is_the_limit(beyond: float) -> None:
    assert set(min_confidence_levels(beyond, [beyond]).tolist()) == {255 if beyond > 0.5 else 0}
