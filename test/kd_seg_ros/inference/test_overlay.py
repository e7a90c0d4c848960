from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_seg_ros.common.classes import IGNORE_ID, PALETTE
from kd_seg_ros.inference.colour_vision import PATTERNS, ClassMark
from kd_seg_ros.inference.overlay import blend, colorize, hatching

IDS = np.array([[*range(19), IGNORE_ID, 19, 254]], np.uint8)


def test_colours_are_rgb_and_ignore_is_black() -> None:
    picture = colorize(IDS, PALETTE)
    assert picture.dtype == np.uint8
    assert [tuple(pixel) for pixel in picture[0].tolist()] == [*PALETTE, (0, 0, 0), (0, 0, 0), (0, 0, 0)]


@given(id_=st.integers(0, 255), pixel=st.tuples(*[st.integers(0, 255)] * 3), alpha=st.floats(0, 1))
def test_blend_is_the_weighted_mean(id_: int, pixel: tuple[int, int, int], alpha: float) -> None:
    image = np.full((3, 5, 3), pixel, np.uint8)
    before = image.copy()
    result = blend(image, np.full((3, 5), id_, np.uint8), PALETTE, alpha)
    colour = np.array(PALETTE[id_] if id_ < 19 else pixel)
    expected = (1 - alpha) * np.array(pixel) + alpha * colour
    assert result.shape == image.shape
    assert result.dtype == np.uint8
    assert np.abs(result - expected).max() <= 0.51  # rounded to the nearest
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_ignored_pixels_show_the_image(alpha: float) -> None:
    image = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    mask = np.zeros((4, 6), np.uint8)
    mask[1:3] = IGNORE_ID
    result = blend(image, mask, PALETTE, alpha)
    np.testing.assert_array_equal(result[1:3], image[1:3])
    if alpha == 1.0:
        assert (result[0] == PALETTE[0]).all()


def test_hatching_adds_the_stroke_s_grey_to_marked_classes_alone() -> None:
    mask = np.repeat(np.arange(3, dtype=np.uint8), 40)[None].repeat(60, axis=0)  # three bands
    marks = [ClassMark(0, 255), ClassMark(1, 255), ClassMark(2, 0)]
    picture = colorize(mask, PALETTE[:3], marks)
    bands = [picture[:, 40 * number : 40 * number + 40].reshape(-1, 3) for number in range(3)]
    colours = [set(map(tuple, band.tolist())) for band in bands]
    assert colours == [{PALETTE[0]}, {PALETTE[1], (255, 255, 255)}, {(0, 0, 0), PALETTE[2]}]
    share = (bands[1] == 255).all(axis=1).mean()
    assert 0.2 < share < 0.5  # the class's own colour prevails


@pytest.mark.parametrize("size", [(1, 1), (48, 80), (270, 480), (1080, 1920)])
def test_every_pattern_is_another(size: tuple[int, int]) -> None:
    packed = hatching(*size)
    assert packed.shape == size
    if size != (1, 1):
        planes = {(packed >> bit & 1).tobytes() for bit in range(PATTERNS - 1)}
        assert len(planes) == PATTERNS - 1


def test_blend_weighs_strokes_as_it_weighs_colours() -> None:
    image = np.full((30, 40, 3), 100, np.uint8)
    mask = np.zeros((30, 40), np.uint8)
    mask[:5] = IGNORE_ID
    result = blend(image, mask, [(200, 0, 0)], 0.5, [ClassMark(3, 255)])
    assert (result[:5] == 100).all()
    assert {tuple(pixel) for pixel in result[5:].reshape(-1, 3).tolist()} == {
        (150, 50, 50),
        (178, 178, 178),
    }
