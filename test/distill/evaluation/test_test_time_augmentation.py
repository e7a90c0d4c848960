"""Test-time augmentation on predictors whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from distill.evaluation.test_time_augmentation import flipped, scaled, starts, tiled
from kd_seg_ros.common.errors import UserError

IMAGE = np.random.default_rng(0).integers(1, 255, (12, 20, 3), dtype=np.uint8)


def by_pixel(image: NDArray[np.uint8]) -> Tensor:
    """Probabilities that follow from a pixel's own colour."""
    return torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1).log_softmax(0)


def by_column(image: NDArray[np.uint8]) -> Tensor:
    """Class 0 on the left, class 1 on the right, as this image shows it."""
    height, width = image.shape[:2]
    p = torch.linspace(0.1, 0.9, width).expand(height, width)
    return torch.stack([1 - p, p]).log()


def test_views_of_a_pixelwise_predictor_change_nothing() -> None:
    expected = by_pixel(IMAGE)
    torch.testing.assert_close(flipped(by_pixel)(IMAGE), expected)
    torch.testing.assert_close(scaled(by_pixel, [1.0])(IMAGE).exp(), expected.exp())
    torch.testing.assert_close(tiled(by_pixel, (5, 7), 0.3)(IMAGE).exp(), expected.exp())


def test_the_mirror_image_is_mirrored_back_and_averaged_in_probability() -> None:
    found = flipped(by_column)(IMAGE).exp()
    torch.testing.assert_close(found, torch.full_like(found, 0.5))


def test_scales_are_averaged_in_probability_at_the_images_size() -> None:
    sizes = []

    def constant(image: NDArray[np.uint8]) -> Tensor:
        sizes.append(image.shape[:2])
        p = 0.2 if image.shape[0] < 12 else 0.6
        return torch.tensor([1 - p, p]).log()[:, None, None].expand(2, *image.shape[:2])

    found = scaled(constant, [0.5, 1.0, 1.5])(IMAGE).exp()
    assert sizes == [(6, 10), (12, 20), (18, 30)]
    assert found.shape == (2, 12, 20)
    torch.testing.assert_close(found[1], torch.full((12, 20), (0.2 + 0.6 + 0.6) / 3))


def test_probabilities_of_zero_stay_finite() -> None:
    def certain(image: NDArray[np.uint8]) -> Tensor:
        return torch.tensor([0.0, -1000.0])[:, None, None].expand(2, *image.shape[:2])

    assert scaled(certain, [0.5])(IMAGE).isfinite().all()
    assert tiled(certain, (5, 5), 0)(IMAGE).isfinite().all()


def test_windows_are_averaged_where_they_overlap() -> None:
    # Two windows of 12 columns over 20: columns 8 to 11 are seen by both.
    found = tiled(by_column, (12, 12), 0.25)(IMAGE)[1].exp()[0]
    ramp = torch.linspace(0.1, 0.9, 12)
    torch.testing.assert_close(found[:8], ramp[:8])
    torch.testing.assert_close(found[8:12], (ramp[8:12] + ramp[:4]) / 2)
    torch.testing.assert_close(found[12:], ramp[4:])


def test_an_image_below_the_windows_size_is_seen_whole() -> None:
    torch.testing.assert_close(tiled(by_column, (64, 64), 0.5)(IMAGE).exp(), by_column(IMAGE).exp())


@given(st.integers(1, 500), st.integers(1, 200), st.floats(0, 0.99))
def test_windows_cover_and_overlap(length: int, window: int, overlap: float) -> None:
    places, size = starts(length, window, overlap)
    assert size == min(window, length)
    assert places[0] == 0
    assert places[-1] + size == length
    steps = np.diff(places)
    # At least one new pixel each, and no more than the overlap allows.
    assert all(1 <= step <= max(1, window * (1 - overlap)) + 1 for step in steps)
    assert all(step <= size for step in steps)


@pytest.mark.parametrize(
    ("length", "window", "overlap", "expected"), [(20, 10, 0, [0, 10]), (9, 4, 0.5, [0, 2, 3, 5])]
)
def test_windows_are_evenly_spread(length: int, window: int, overlap: float, expected: list[int]) -> None:
    assert starts(length, window, overlap)[0] == expected


def test_windows_without_end_are_refused_before_the_first() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    with pytest.raises(UserError, match=r"^--tile 1x1 with --overlap 0.25 makes 2400 windows of .* 40x60"):
        tiled(never, (1, 1), 0.25)(image)


def never(image: NDArray[np.uint8]) -> Tensor:
    raise AssertionError(f"computed {image.shape}")
