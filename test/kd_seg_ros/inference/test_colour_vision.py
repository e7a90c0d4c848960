"""Confused colours, against scikit-image 0.26, colour-science 0.4 and published pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_seg_ros.common.classes import CLASS_NAMES, PALETTE
from kd_seg_ros.inference.colour_vision import (
    CONFUSED,
    PATTERNS,
    cie76,
    ciede2000,
    class_marks,
    confused_pairs,
    simulated_lab,
)

Colour = tuple[int, int, int]
palettes = st.lists(st.tuples(*[st.integers(0, 255)] * 3), max_size=24)

SHARMA = [
    ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
    ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
    ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0009), 7.1792),
    ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0011), 7.2195),
    ((50.0, 2.5, 0.0), (61.0, -5.0, 29.0), 22.8977),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((36.4612, 47.8580, 18.3852), (36.2715, 50.5065, 21.2231), 1.4146),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
]
"""Test data of Sharma, Wu and Dalal (2005): two colours in CIELAB, and CIEDE2000."""


@pytest.mark.parametrize(("first", "second", "expected"), SHARMA)
def test_ciede2000_is_as_published(
    first: tuple[float, ...], second: tuple[float, ...], expected: float
) -> None:
    found = ciede2000(np.array([first, second]))
    assert found[0, 1] == pytest.approx(expected, abs=5e-5)
    assert found[1, 0] == pytest.approx(expected, abs=5e-5)
    assert found[0, 0] == 0


@pytest.mark.parametrize(
    ("vision", "first", "second", "by_1976", "by_2000"),
    [
        ("protanopia", "vegetation", "person", 45.603, 23.799),
        ("protanopia", "person", "rider", 31.614, 13.331),
        ("protanopia", "bus", "train", 13.294, 7.808),
        ("protanopia", "fence", "pole", 3.353, 3.075),
        ("protanopia", "road", "wall", 10.704, 9.516),
        ("deuteranopia", "vegetation", "person", 6.085, 2.611),
        ("deuteranopia", "person", "rider", 24.469, 9.719),
        ("deuteranopia", "bus", "train", 12.899, 6.92),
        ("deuteranopia", "fence", "pole", 7.954, 6.852),
        ("deuteranopia", "road", "wall", 10.105, 6.47),
        ("tritanopia", "vegetation", "person", 99.782, 46.089),
        ("tritanopia", "person", "rider", 14.221, 5.556),
        ("tritanopia", "bus", "train", 8.065, 5.973),
        ("tritanopia", "fence", "pole", 19.704, 17.476),
        ("tritanopia", "road", "wall", 36.569, 32.055),
    ],
)
def test_differences_are_those_of_scikit_image_after_colour_science(
    vision: str, first: str, second: str, by_1976: float, by_2000: float
) -> None:
    pair = [PALETTE[CLASS_NAMES.index(name)] for name in (first, second)]
    lab = simulated_lab(pair, vision)
    assert cie76(lab)[0, 1] == pytest.approx(by_1976, abs=2e-3)
    assert ciede2000(lab)[0, 1] == pytest.approx(by_2000, abs=2e-3)


def test_the_cityscapes_palette_is_confused_where_other_tools_say() -> None:
    pairs = {(CLASS_NAMES[first], CLASS_NAMES[second]) for first, second in confused_pairs(PALETTE)}
    assert pairs == {
        ("road", "wall"),
        ("road", "bus"),
        ("road", "train"),
        ("wall", "sky"),
        ("fence", "pole"),
        ("traffic light", "traffic sign"),
        ("vegetation", "person"),
        ("vegetation", "rider"),
        ("person", "rider"),
        ("car", "bus"),
        ("bus", "train"),
    }


def test_what_is_seen_most_stays_plain() -> None:
    marks = dict(zip(CLASS_NAMES, class_marks(PALETTE), strict=True))
    plain = ("road", "sidewalk", "building", "vegetation", "sky", "car")
    assert not any(marks[name].pattern for name in plain)
    assert marks["person"].pattern
    assert marks["rider"].pattern not in (0, marks["person"].pattern)
    assert (marks["person"].stroke, marks["traffic sign"].stroke) == (255, 0)  # dark red, bright yellow


@settings(deadline=None, max_examples=25)
@given(palettes)
def test_no_two_confused_classes_look_alike(palette: list[Colour]) -> None:
    marks = class_marks(tuple(palette))
    assert len(marks) == len(palette)
    pairs = confused_pairs(palette)
    for first, second in pairs:
        # Only a colour with as many confused ones before it as there are patterns may repeat one.
        earlier = {marks[number].pattern for number, other in pairs if other == second}
        assert marks[first].pattern != marks[second].pattern or len(earlier) == PATTERNS


def test_equal_colours_are_told_apart_as_long_as_there_are_patterns() -> None:
    marks = class_marks(((90, 90, 90),) * PATTERNS)
    assert [mark.pattern for mark in marks] == list(range(PATTERNS))


def test_colours_far_apart_are_not_hatched() -> None:
    far = ((0, 0, 0), (255, 255, 255), (0, 0, 255))
    assert confused_pairs(far) == []
    assert all(mark.pattern == 0 for mark in class_marks(far))
    assert confused_pairs(((0, 0, 0),)) == []
    assert class_marks(()) == ()
    assert CONFUSED == 10
