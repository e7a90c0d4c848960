"""Leaving out pixels of low confidence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_seg_ros.abstain import abstain

RNG = np.random.default_rng(0)
MASK = RNG.integers(0, 19, (16, 40), np.uint8)
CONFIDENCE = RNG.permutation(np.arange(640) % 256).astype(np.uint8).reshape(16, 40)


@given(
    st.floats(0, 1).filter(lambda t: abs(255 * t - round(255 * t)) > 1e-6), st.sampled_from([255, 19, 128])
)
def test_pixels_below_the_threshold_have_no_class(threshold: float, ignore_id: int) -> None:
    expected = MASK.copy()
    expected[threshold > CONFIDENCE / 255] = ignore_id
    np.testing.assert_array_equal(abstain(MASK, CONFIDENCE, threshold, ignore_id), expected)


@pytest.mark.parametrize("level", [1, 51, 128, 255])
def test_a_pixel_at_the_threshold_stays(level: int) -> None:
    kept = abstain(MASK, CONFIDENCE, level / 255, 255)
    assert (kept[level == CONFIDENCE] != 255).all()
    assert (kept[level - 1 == CONFIDENCE] == 255).all()


def test_without_a_threshold_nothing_is_done() -> None:
    before = MASK.copy()
    assert abstain(MASK, CONFIDENCE, 0.0, 255) is MASK
    abstain(MASK, CONFIDENCE, 0.5, 255)
    np.testing.assert_array_equal(MASK, before)
