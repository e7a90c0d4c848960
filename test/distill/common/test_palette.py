from __future__ import annotations

from distill.common.palette import palette
from kd_seg_ros.common.classes import CLASS_NAMES, PALETTE


def test_cityscapes_classes_keep_their_colours() -> None:
    assert palette(CLASS_NAMES) == PALETTE


def test_a_class_that_means_the_same_has_the_same_colour() -> None:
    assert palette(["sky", "Pavement", "tree"]) == (PALETTE[10], PALETTE[1], PALETTE[8])


def test_no_two_classes_share_a_colour() -> None:
    names = ["road", "street", "car", "van", *(f"thing {number}" for number in range(100))]
    colours = palette(names)
    assert len(set(colours)) == len(names)
    assert all(0 <= channel <= 255 for colour in colours for channel in colour)
