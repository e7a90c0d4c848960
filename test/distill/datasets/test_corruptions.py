"""What spoils images: its kind and size, that it is the same for a seed, and what it does to an image."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from distill.datasets.corruptions import CORRUPTIONS, corrupt

SIZE = (96, 160)
NAMES = [*CORRUPTIONS]


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """A picture with edges, areas and fine texture, none of it black or white."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices(SIZE)
    planes = [60 + rows, 50 + columns * 0.8, 110 + 40 * ((rows // 16 + columns // 16) % 2)]
    return np.clip(np.stack(planes, 2) + rng.normal(0, 5, (*SIZE, 3)), 30, 225).astype(np.uint8)


def spoilt(name: str, image: np.ndarray, seed: int = 1) -> np.ndarray:
    return CORRUPTIONS[name](image, np.random.default_rng(seed))


def sharpness(image: np.ndarray) -> float:
    """Variance of the Laplacian of the brightness."""
    return float(cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


@pytest.mark.parametrize("name", NAMES)
def test_size_and_type_stay_and_the_given_image_as_well(name: str, image: np.ndarray) -> None:
    before = image.copy()
    found = spoilt(name, image)
    assert (found.shape, found.dtype) == (image.shape, np.uint8)
    assert found.flags.c_contiguous
    assert not np.shares_memory(found, image)
    np.testing.assert_array_equal(image, before)
    assert np.abs(found.astype(int) - image).mean() > 1  # and it can be seen


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_says_all(name: str, image: np.ndarray) -> None:
    np.testing.assert_array_equal(spoilt(name, image), spoilt(name, image))
    different = not np.array_equal(spoilt(name, image), spoilt(name, image, seed=2))
    assert different == (name != "upside down")


@pytest.mark.parametrize("name", NAMES)
def test_images_of_any_size_are_taken(name: str) -> None:
    for size in ((1, 1), (3, 50), (40, 2)):
        assert spoilt(name, np.full((*size, 3), 128, np.uint8)).shape == (*size, 3)


def test_blur_takes_fine_detail_and_noise_adds_it(image: np.ndarray) -> None:
    assert sharpness(spoilt("blur", image)) < 0.2 * sharpness(image)
    assert sharpness(spoilt("noise", image)) > 2 * sharpness(image)
    # Neither changes how bright the image is.
    for name in ("blur", "noise"):
        assert spoilt(name, image).mean() == pytest.approx(image.mean(), abs=2)


def test_exposure_moves_the_brightness(image: np.ndarray) -> None:
    for seed in range(5):
        dark, bright = spoilt("too dark", image, seed), spoilt("too bright", image, seed)
        assert image.mean() / 13 < dark.mean() < image.mean() / 3.5
        assert bright.mean() > 1.4 * image.mean()
        assert (bright >= image).all()
        assert (dark <= image).all()


def test_a_quarter_to_a_half_is_occluded_and_the_rest_stays(image: np.ndarray) -> None:
    for seed in range(10):
        found = spoilt("occluded lens", image, seed)
        changed = (found != image).any(axis=2)
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        box = found[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert 0.22 < box[..., 0].size / changed.size <= 0.5
        assert len(np.unique(box.reshape(-1, 3), axis=0)) == 1  # one dark colour
        assert box.max() < 60


def test_dirt_lies_in_spots_and_much_of_the_image_stays(image: np.ndarray) -> None:
    for seed in range(5):
        found = spoilt("dirty lens", image, seed)
        untouched = (found == image).all(axis=2).mean()
        assert 0.02 < untouched < 0.98
        assert found.mean() < image.mean()  # brown is darker


def test_jpeg_leaves_blocks_of_eight(image: np.ndarray) -> None:
    grey = spoilt("JPEG", image).astype(np.float64).mean(axis=2)
    steps = np.abs(np.diff(grey, axis=1)).mean(axis=0)
    at_blocks = np.arange(len(steps)) % 8 == 7
    assert steps[at_blocks].mean() > 1.5 * steps[~at_blocks].mean()


def test_labels_move_only_where_the_image_is_turned(image: np.ndarray) -> None:
    labels = np.arange(np.prod(SIZE), dtype=np.int64).reshape(SIZE).astype(np.uint8)
    for name in NAMES:
        found, moved = corrupt(name, image, labels, np.random.default_rng(1))
        np.testing.assert_array_equal(found, spoilt(name, image))
        turned = name == "upside down"
        np.testing.assert_array_equal(moved, np.rot90(labels, 2) if turned else labels)
        if turned:
            np.testing.assert_array_equal(found, np.rot90(image, 2))
