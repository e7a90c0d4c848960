"""Pictures of masks, differences, mistakes and weights, against what they are made of."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from distill.data.border_weights import border_weights
from distill.report.pictures import (
    BOTH_WRONG,
    GAINED,
    GAINED_RGB,
    LOST,
    LOST_RGB,
    UNLABELLED,
    WIDTH,
    Picture,
    class_picture,
    confidence_colours,
    difference_picture,
    differences,
    mistakes_picture,
    shrink,
    shrink_map,
    weight_colour,
    weights_picture,
)
from kd_seg_ros.common.classes import PALETTE


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_sizes(rng: np.random.Generator) -> None:
    photo = rng.integers(0, 256, (108, 2 * WIDTH, 3), dtype=np.uint8)
    ids = rng.choice(np.array([0, 7, 255], np.uint8), (108, 2 * WIDTH))
    assert shrink(photo).shape == (54, WIDTH, 3)
    assert shrink_map(ids).shape == (54, WIDTH)
    assert set(np.unique(shrink_map(ids))) == {0, 7, 255}
    assert shrink_map(ids[:, :20]).shape == (108, 20)


def test_class_colours_and_numbers() -> None:
    classes = np.zeros((60, 120), np.uint8)
    classes[:, 60:] = 13
    classes[:5, :5] = 255
    classes[20:23, 20:23] = 4
    picture = class_picture(classes, PALETTE)
    flat = {tuple(colour) for colour in picture.reshape(-1, 3).tolist()}
    assert {PALETTE[0], PALETTE[13], PALETTE[4], (0, 0, 0)} <= flat
    changed = (
        picture != np.array([PALETTE[c] if c < 19 else (0, 0, 0) for c in classes.flat]).reshape(60, 120, 3)
    ).any(2)
    rows, columns = np.nonzero(changed)
    # One number in each of the two large regions, none in the small ones.
    assert (columns < 60).any()
    assert (columns > 60).any()
    assert not changed[18:25, 18:25].any()
    right = columns > 60
    assert abs(rows[right].mean() - 30) < 3
    assert abs(columns[right].mean() - 90) < 3


def test_a_class_that_colour_blind_readers_confuse_is_hatched() -> None:
    person = np.full((8, 60), 11, np.uint8)  # no room for a number
    flat = {tuple(colour) for colour in class_picture(person, PALETTE).reshape(-1, 3).tolist()}
    assert flat == {PALETTE[11], (255, 255, 255)}


def test_differences(rng: np.random.Generator) -> None:
    labels = rng.choice(np.array([0, 1, 255], np.uint8), (40, 60))
    first = rng.integers(0, 2, (40, 60), dtype=np.uint8)
    second = rng.integers(0, 2, (40, 60), dtype=np.uint8)
    codes = differences(labels, first, second)
    for y, x in np.ndindex(labels.shape):
        label, before, after = labels[y, x], first[y, x], second[y, x]
        if label == 255:
            expected = UNLABELLED
        elif before == after:
            expected = 0 if after == label else BOTH_WRONG
        else:
            expected = GAINED if after == label else LOST
        assert codes[y, x] == expected
    picture = difference_picture(np.full((40, 60, 3), 100, np.uint8), codes)
    assert (picture[codes == GAINED] == GAINED_RGB).all()
    assert (picture[codes == LOST] == LOST_RGB).all()
    assert (picture[codes == UNLABELLED] == 255).all()
    assert (picture[codes == 0] == 180).all()
    assert len(np.unique(picture[codes == BOTH_WRONG], axis=0)) == 2  # stripes


def test_mistakes() -> None:
    labels = np.array([[0, 0, 0, 255]], np.uint8)
    mask = np.array([[0, 1, 1, 1]], np.uint8)
    confidence = np.array([[255, 255, 51, 255]], np.uint8)
    picture = mistakes_picture(np.full((1, 4, 3), 100, np.uint8), labels, mask, confidence)
    colours = confidence_colours(confidence)
    assert picture[0, [1, 2]].tolist() == colours[0, [1, 2]].tolist()
    assert (picture[0, [0, 3]] == 30).all()


def test_weights() -> None:
    labels = np.zeros((10, 40), np.uint8)
    labels[:, 20:] = 1
    labels[0] = 255
    picture = weights_picture(border_weights(labels))
    assert tuple(picture[0, 0]) == (255, 255, 255)
    assert tuple(picture[9, 20]) == weight_colour(8)
    assert tuple(picture[9, 39]) == weight_colour(6)  # 9 rows below the ignored one
    assert len({weight_colour(weight) for weight in (0, 1, 2, 4, 6, 8)}) == 6


def test_addresses(rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (8, 9, 3), dtype=np.uint8)
    kind, _, content = Picture("mask", pixels).uri.partition(";base64,")
    assert kind == "data:image/png"
    np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(base64.b64decode(content)))), pixels)
    assert Picture("image", pixels, photo=True).uri.startswith("data:image/jpeg;base64,")
