"""Border weights against SciPy's exact distance transform, OpenCV's and a brute-force search."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import distance_transform_edt

from distill.data.border_weights import border_weights
from distill.scenes.render import render_scene

IGNORE = 255
ROOT = Path(__file__).resolve().parents[4]
REAL_LABELS = sorted((ROOT / "shared/data/acdc_mini/gt").glob("*/*/*/*_labelTrainIds.png"))


def weight_at(distance: float) -> float:
    """The thesis' bands."""
    for limit, weight in ((4, 8), (16, 6), (64, 4), (128, 2)):
        if distance < limit:
            return weight
    return 1


def brute_force(labels: np.ndarray) -> np.ndarray:
    """Every pixel's distance to every pixel of another class."""
    pixels = np.argwhere(np.ones(labels.shape))
    squared = ((pixels[:, None] - pixels) ** 2).sum(-1).astype(float)
    squared[labels.ravel()[:, None] == labels.ravel()] = np.inf
    weights = [weight_at(distance) for distance in np.sqrt(squared.min(1))]
    return np.where(labels == IGNORE, 0, np.reshape(weights, labels.shape))


def by_scipy(labels: np.ndarray) -> np.ndarray:
    """One distance transform of the whole image per class, for images of at least two classes."""
    distance = np.zeros(labels.shape)
    for class_id in np.unique(labels):
        mask = labels == class_id
        distance[mask] = distance_transform_edt(mask)[mask]
    return np.where(labels == IGNORE, 0, np.vectorize(weight_at)(distance))


def by_opencv(labels: np.ndarray) -> np.ndarray:
    """One distance transform of the whole image per class, in float32."""
    distance = np.zeros(labels.shape, np.float32)
    for class_id in np.unique(labels):
        mask = (labels == class_id).astype(np.uint8)
        distance += cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) * mask
    return np.where(labels == IGNORE, 0, np.vectorize(weight_at)(distance))


def sparse(shape: tuple[int, int]) -> st.SearchStrategy[np.ndarray]:
    """A few pixels of any class on a background."""
    return hnp.arrays(np.uint8, shape, elements=st.sampled_from([*range(19), IGNORE]), fill=st.just(4))


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


@given(st.sampled_from([(14, 15), (20, 20), (1, 300), (300, 1), (2, 150), (150, 2), (5, 70)]).flatmap(sparse))
@settings(deadline=None, max_examples=60)
def test_many_classes_and_long_images_equal_brute_force(labels: np.ndarray) -> None:
    np.testing.assert_array_equal(border_weights(labels), brute_force(labels))


@pytest.mark.parametrize("limit", [4, 16, 64, 128])
def test_pixels_on_every_side_of_a_limit(limit: int) -> None:
    """One pixel of another class: every squared distance around limit², in all directions."""
    labels = np.zeros((2 * limit + 5, 2 * limit + 7), np.uint8)
    centre = limit + 2, limit + 3
    labels[centre] = 1
    y, x = np.indices(labels.shape)
    squared = (y - centre[0]) ** 2 + (x - centre[1]) ** 2
    expected = np.select([squared < t * t for t in (4, 16, 64, 128)], [8, 6, 4, 2], 1)
    assert (squared == limit**2).any()
    np.testing.assert_array_equal(border_weights(labels), expected)


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


@pytest.mark.parametrize(("pieces", "side"), [(60, 150), (400, 60), (4000, 9)])
def test_scattered_classes_equal_scipy(pieces: int, side: int) -> None:
    """All 19 classes and ignored pixels in rectangles and discs all over the image."""
    rng = np.random.default_rng(pieces)
    labels = np.full((301, 410), IGNORE, np.uint8)
    for class_id in rng.choice([*range(19), IGNORE], pieces):
        y, x = rng.integers(0, 301), rng.integers(0, 410)
        h, w = rng.integers(1, side, size=2)
        if rng.random() < 0.5:
            labels[y : y + h, x : x + w] = class_id
        else:
            cv2.circle(labels, (int(x), int(y)), int(h) // 2, int(class_id), cv2.FILLED)
    np.testing.assert_array_equal(border_weights(labels), by_scipy(labels))


def test_noise_equals_brute_force() -> None:
    labels = np.random.default_rng(0).integers(0, 19, (40, 30), dtype=np.uint8)
    np.testing.assert_array_equal(border_weights(labels), brute_force(labels))


@pytest.mark.parametrize("seed", [1, 2])
def test_road_scenes_equal_opencv(seed: int) -> None:
    labels = render_scene(seed, (288, 512), "fog").labels
    np.testing.assert_array_equal(border_weights(labels), by_opencv(labels))


@pytest.mark.skipif(not REAL_LABELS, reason="the ACDC frames are not at hand")
def test_real_labels_equal_opencv() -> None:
    for path in REAL_LABELS[::4]:
        labels = np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), np.uint8)
        np.testing.assert_array_equal(border_weights(labels), by_opencv(labels), err_msg=str(path))


@pytest.mark.parametrize(
    "view", [np.transpose, np.flipud, np.fliplr, lambda a: a[3:200:2, 5:180:3]], ids=["T", "ud", "lr", "part"]
)
def test_views_of_an_array(view: Callable[[np.ndarray], np.ndarray]) -> None:
    """Whatever the memory order of the labels; and they stay as they are."""
    labels = np.zeros((210, 190), np.uint8)
    labels[40:60, 30:150], labels[100:, 170:] = 3, IGNORE
    before = labels.copy()
    weights = border_weights(view(labels))
    np.testing.assert_array_equal(weights, border_weights(np.ascontiguousarray(view(labels))))
    np.testing.assert_array_equal(labels, before)
    assert weights.flags.c_contiguous


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
