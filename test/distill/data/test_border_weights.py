"""Border weights against SciPy's exact distance transform and a brute-force search."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import distance_transform_edt

from distill.data.border_weights import border_weights

IGNORE = 255


def weight_at(distance: float) -> float:
    """The thesis' bands."""
    for limit, weight in ((4, 8), (16, 6), (64, 4), (128, 2)):
        if distance < limit:
            return weight
    return 1


def brute_force(labels: np.ndarray) -> np.ndarray:
    """Every pixel's distance to every pixel of another class."""
    weights = np.zeros(labels.shape)
    for y, x in np.ndindex(*labels.shape):
        others = np.argwhere(labels != labels[y, x])
        if labels[y, x] != IGNORE:
            weights[y, x] = weight_at(
                np.sqrt(((others - (y, x)) ** 2).sum(1).min()) if len(others) else np.inf
            )
    return weights


def by_scipy(labels: np.ndarray) -> np.ndarray:
    """One distance transform of the whole image per class, for images of at least two classes."""
    distance = np.zeros(labels.shape)
    for class_id in np.unique(labels):
        mask = labels == class_id
        distance[mask] = distance_transform_edt(mask)[mask]
    return np.where(labels == IGNORE, 0, np.vectorize(weight_at)(distance))


@given(
    hnp.arrays(
        np.uint8,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12),
        elements=st.sampled_from([0, 3, IGNORE]),
    )
)
@settings(deadline=None)
def test_tiny_images_equal_brute_force(labels: np.ndarray) -> None:
    np.testing.assert_array_equal(border_weights(labels), brute_force(labels))


@pytest.mark.parametrize("seed", range(6))
def test_large_images_equal_scipy(seed: int) -> None:
    """Rectangles of random size, with distances through every band and classes in several pieces."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((420, 530), np.uint8)
    for _ in range(rng.integers(1, 9)):
        y, x = rng.integers(0, 420), rng.integers(0, 530)
        h, w = rng.integers(1, 200, size=2)
        labels[y : y + h, x : x + w] = rng.choice([0, 1, 2, 18, IGNORE])
    labels[5, 5] = 7  # never a single class
    np.testing.assert_array_equal(border_weights(labels), by_scipy(labels))


def test_bands_along_a_straight_border() -> None:
    """A vertical border: the pixel next to it has distance 1, so the first band is 3 pixels wide."""
    labels = np.zeros((1, 300), np.uint8)
    labels[0, 150:] = 1
    right = border_weights(labels)[0, 150:]
    expected = [8.0] * 3 + [6.0] * 12 + [4.0] * 48 + [2.0] * 64 + [1.0] * 23
    np.testing.assert_array_equal(right, expected)
    np.testing.assert_array_equal(border_weights(labels)[0, :150], expected[::-1])


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (400, 1), (300, 300)])
def test_single_class_image_is_one_everywhere(shape: tuple[int, int]) -> None:
    weights = border_weights(np.full(shape, 4, np.uint8))
    np.testing.assert_array_equal(weights, np.ones(shape))
    assert weights.dtype == np.float32


def test_all_ignored_image_is_zero() -> None:
    np.testing.assert_array_equal(border_weights(np.full((5, 7), IGNORE, np.uint8)), np.zeros((5, 7)))


def test_ignored_pixels_make_a_border_and_weigh_nothing() -> None:
    labels = np.full((9, 9), 4, np.uint8)
    labels[4, 4] = IGNORE
    weights = border_weights(labels)
    assert weights[4, 4] == 0
    assert weights[4, 5] == 8
    assert weights[0, 0] == 6  # √32 away


def test_the_ignore_id_can_be_chosen() -> None:
    labels = np.array([[11, 11, 0]], np.uint8)
    np.testing.assert_array_equal(border_weights(labels, ignore=11), [[0, 0, 8]])


@pytest.mark.parametrize("labels", [np.zeros((3, 3), np.int64), np.zeros((3, 3, 1), np.uint8)])
def test_other_arrays_are_refused(labels: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"uint8 \[H, W\]"):
        border_weights(labels)
