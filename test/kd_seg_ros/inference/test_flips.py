"""Pixels that change their class, counted by hand."""

from __future__ import annotations

import numpy as np

from kd_seg_ros.inference.flips import FlipShares, flips


def mask(*values: int) -> np.ndarray:
    return np.array([values], np.uint8)


def test_pixels_without_a_class_are_not_compared() -> None:
    compared, flipped = flips(mask(0, 1, 255, 3, 2), mask(0, 2, 1, 255, 2), 3)
    assert compared.tolist() == [[True, True, False, False, True]]
    assert flipped.tolist() == [[False, True, False, False, False]]


def test_a_frame_is_compared_with_the_one_before_of_its_camera() -> None:
    shares = FlipShares(3)
    assert shares.total() is None
    first = mask(0, 0, 1, 1)
    assert shares.add("left", first) is None
    first[:] = 2  # the caller uses its array again
    assert shares.add("left", mask(0, 1, 1, 1)) == 0.25
    assert shares.add("right", mask(0, 1, 1, 1)) is None
    assert shares.add("left", mask(0, 1)) is None  # of another size
    assert shares.add("left", mask(255, 255)) is None
    assert shares.add("right", mask(255, 2, 2, 255)) == 1.0
    assert shares.total() == 3 / 6
