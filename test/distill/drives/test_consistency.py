"""Pixels that change their class between frames, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from distill.drives.consistency import Consistency, describe_consistency


def row(*ids: int) -> np.ndarray:
    return np.array([ids], np.uint8)


def test_flips_are_shares_of_the_pixels_that_have_a_class_in_both_frames() -> None:
    found = Consistency(3)
    found.update("fog", 1, row(0, 0, 1, 255, 2), None)
    found.update("fog", 2, row(0, 1, 1, 1, 255), None)
    found.update("night", 3, row(1, 1, 1, 1, 2), None)
    assert found.summary() == {
        "full": {"pairs": 2, "flipped": pytest.approx(2 / 7), "flickered": None},
        "fog": {"pairs": 1, "flipped": pytest.approx(1 / 3), "flickered": None},
        "night": {"pairs": 1, "flipped": pytest.approx(1 / 4), "flickered": None},
    }


def test_true_change_is_no_flicker() -> None:
    found = Consistency(3)
    truth = [row(0, 0, 1, 1, 255), row(0, 1, 1, 1, 255), row(1, 1, 1, 0, 255)]
    for number, labels in enumerate(truth, start=1):
        found.update("", number, labels, labels)
    assert found.summary() == {"full": {"pairs": 2, "flipped": 3 / 8, "flickered": 0.0}}
    found.update("", 4, row(2, 1, 1, 0, 2), truth[2])
    assert found.summary()["full"]["flickered"] == pytest.approx(1 / (3 + 2 + 4))


def test_a_missing_frame_or_another_size_makes_no_pair() -> None:
    found = Consistency(3)
    found.update("rain", 1, row(0, 0), None)
    found.update("rain", 3, row(1, 1), None)
    found.update("rain", 4, row(1, 1, 1), None)
    assert found.summary() == {}
    assert describe_consistency(found.summary()) == []


def test_a_mask_that_is_reused_is_compared_as_it_was() -> None:
    found, mask = Consistency(3), row(0, 0)
    found.update("", 1, mask, None)
    mask[:] = 1
    found.update("", 2, mask, None)
    assert found.summary()["full"]["flipped"] == 1.0


def test_a_line_for_people() -> None:
    summary = {"full": {"pairs": 3, "flipped": 0.0321, "flickered": 0.012}}
    (line,) = describe_consistency(summary)
    assert line.startswith("full: 3.21 % of the pixels change class between frames, 1.20 % of those")
    assert line.endswith("whose true class stays (3 pairs)")
