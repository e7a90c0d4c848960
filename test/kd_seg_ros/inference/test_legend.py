"""The legend shows each class's own colour, keeps its places, and fits whatever the picture is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_model import card

from kd_seg_ros.common.classes import CLASS_NAMES, PALETTE
from kd_seg_ros.common.picture_options import LEGENDS, NONE, PRESENT
from kd_seg_ros.inference.legend import Legend, legend_of, plain_letters, shown_classes

ROAD, SKY, CAR = CLASS_NAMES.index("road"), CLASS_NAMES.index("sky"), CLASS_NAMES.index("car")
GREYS = {colour for colour in PALETTE if len(set(colour)) == 1}
"""Colours that the edges of grey letters have, too."""
PLAIN = Legend(CLASS_NAMES, PALETTE)


def mask_of(*classes: int, height: int = 90, width: int = 160) -> np.ndarray:
    """A mask of equal vertical stripes of some classes."""
    stripes = np.arange(width) * len(classes) // width
    return np.tile(np.array(classes, np.uint8)[stripes], (height, 1))


def colours_in(picture: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(colour) for colour in np.unique(picture.reshape(-1, 3), axis=0).tolist()}


def test_every_class_is_below_the_picture_and_those_it_does_not_show_are_dimmed() -> None:
    picture = np.full((360, 640, 3), 7, np.uint8)
    result = PLAIN.below(picture, mask_of(ROAD, SKY))
    np.testing.assert_array_equal(result[:360], picture)
    found = colours_in(result[360:])
    assert {PALETTE[ROAD], PALETTE[SKY]} <= found
    others = set(PALETTE) - {PALETTE[ROAD], PALETTE[SKY]} - GREYS
    assert not others & found
    everything = PLAIN.below(picture, mask_of(*range(19), width=1900))[360:]
    assert set(PALETTE) <= colours_in(everything)


@pytest.mark.parametrize("kind", LEGENDS)
@pytest.mark.parametrize("width", [64, 641, 1920])
def test_the_pictures_of_a_video_keep_one_even_size(kind: str, width: int) -> None:
    legend = Legend(CLASS_NAMES, PALETTE, kind=kind)
    picture = np.zeros((100, width, 3), np.uint8)
    masks = (mask_of(ROAD), mask_of(ROAD, SKY, CAR), mask_of(*range(19), width=190), mask_of(255))
    sizes = {legend.below(picture, mask).shape for mask in masks}
    assert len(sizes) == 1
    height = sizes.pop()[0]
    assert height % 2 == 0
    assert (height == 100) == (kind == NONE)


def test_classes_keep_their_places_from_frame_to_frame() -> None:
    first, second = np.zeros((360, 640, 3), np.uint8), np.zeros((360, 640, 3), np.uint8)
    PLAIN.draw_over(first, mask_of(ROAD, CAR))
    PLAIN.draw_over(second, mask_of(SKY, CAR))
    car = (first == PALETTE[CAR]).all(axis=2)
    assert car.any()
    np.testing.assert_array_equal((second == PALETTE[CAR]).all(axis=2), car)


def test_only_the_classes_that_are_there() -> None:
    picture = np.zeros((360, 640, 3), np.uint8)
    Legend(CLASS_NAMES, PALETTE, kind=PRESENT).draw_over(picture, mask_of(ROAD, CAR))
    found = colours_in(picture) & set(PALETTE) - GREYS
    assert found == {PALETTE[ROAD], PALETTE[CAR]}


def test_channels_follow_the_picture() -> None:
    red, blue = np.zeros((90, 160, 3), np.uint8), np.zeros((90, 160, 3), np.uint8)
    PLAIN.draw_over(red, mask_of(SKY))
    PLAIN.draw_over(blue, mask_of(SKY), bgr=True)
    np.testing.assert_array_equal(red, blue[..., ::-1])
    assert PALETTE[SKY] in colours_in(red)


def test_hatched_classes_are_hatched_in_the_legend() -> None:
    hatched, plain = np.zeros((540, 960, 3), np.uint8), np.zeros((540, 960, 3), np.uint8)
    person = CLASS_NAMES.index("person")
    legend_of(card(8, 8)).draw_over(hatched, mask_of(person))
    legend_of(card(8, 8), marks=False).draw_over(plain, mask_of(person))
    count = [int((picture == PALETTE[person]).all(axis=2).sum()) for picture in (hatched, plain)]
    assert 0 < count[0] < count[1]


def test_no_legend_leaves_a_picture_as_it_is() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)
    result = picture.copy()
    Legend(CLASS_NAMES, PALETTE, kind=NONE).draw_over(result, mask_of(SKY))
    np.testing.assert_array_equal(result, picture)


@settings(deadline=None, max_examples=10)
@given(
    height=st.integers(1, 200),
    width=st.integers(1, 300),
    names=st.lists(st.text(max_size=20), min_size=2, max_size=20),
    kind=st.sampled_from(LEGENDS),
)
def test_whatever_the_size_and_the_names_a_third_of_the_picture_is_the_most(
    height: int, width: int, names: list[str], kind: str
) -> None:
    legend = Legend(tuple(names), tuple([(10, 200, 30)] * len(names)), kind=kind)
    picture = np.full((height, width, 3), 77, np.uint8)
    mask = mask_of(*range(len(names)), height=height, width=width)
    legend.draw_over(picture, mask)
    assert (picture[height // 3 :] == 77).all()
    assert legend.below(picture, mask).shape[1] == width


def test_a_class_is_shown_from_a_thousandth_of_the_pixels_on() -> None:
    mask = np.zeros((50, 100), np.uint8)
    mask.reshape(-1)[:5] = 1
    mask.reshape(-1)[5:9] = 2
    assert shown_classes(mask, 4) == (True, True, False, False)
    assert shown_classes(np.array([[3]], np.uint8), 4) == (False, False, False, True)


def test_letters_that_the_font_lacks() -> None:
    assert plain_letters("Straße zum Häuschen, 道") == "Stra?e zum Hauschen, ?"
