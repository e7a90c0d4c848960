"""Changes of an image's look, each against its definition."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.config.appearance import AppearanceConfig
from distill.config.data import DataConfig
from distill.data.appearance import OCTAVES, Appearance, scale_octaves
from distill.data.transforms import TrainTransform
from distill.datasets.frame import Sample

SMOOTH = np.fromfunction(lambda y, x, c: 60 + 2 * y + x + 20 * c, (48, 64, 3)).astype(np.uint8)
"""A gradient whose channels differ."""


def drawn(strength: float, seed: int, place: int, low: float | None = None) -> float:
    """The number that a change draws from a generator of this seed: cast is 0 to 2, detail 7 and on."""
    uniform = np.random.default_rng(seed).random(7 + OCTAVES)[place]
    least = -strength if low is None else low
    return least + (strength - least) * uniform


@given(
    st.builds(
        Appearance,
        cast=st.floats(0, 1),
        exposure=st.floats(0, 4),
        blur=st.floats(0, 8),
        noise=st.floats(0, 128),
        quality=st.integers(1, 100),
        detail=st.floats(0, 1),
    ),
    st.integers(0, 99),
)
@settings(deadline=None, max_examples=40)
def test_every_strength_gives_an_image_and_the_same_one_again(change: Appearance, seed: int) -> None:
    image = SMOOTH.copy()
    first = change(image, np.random.default_rng(seed))
    again = change(image, np.random.default_rng(seed))
    assert (first.shape, first.dtype) == (image.shape, np.uint8)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(image, SMOOTH)


def test_without_strength_nothing_changes() -> None:
    np.testing.assert_array_equal(Appearance()(SMOOTH, np.random.default_rng(0)), SMOOTH)


@pytest.mark.parametrize("seed", range(4))
def test_cast_and_exposure_follow_their_formula(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = Appearance(cast=0.3, exposure=1.5)(SMOOTH, rng)
    gains = np.array([1 + drawn(0.3, seed, channel) for channel in range(3)])
    power = 2 ** drawn(1.5, seed, 3)
    expected = 255 * np.minimum(SMOOTH / 255 * gains, 1) ** power
    assert np.abs(found - expected).max() <= 0.5 + 1e-9


def test_blur_noise_and_compression_have_the_strength_that_was_drawn() -> None:
    sigma = drawn(4, 1, 4, low=0)
    blurred = Appearance(blur=4)(SMOOTH, np.random.default_rng(1))
    np.testing.assert_array_equal(blurred, cv2.GaussianBlur(SMOOTH, (0, 0), sigma))
    grey = np.full((200, 200, 3), 128, np.uint8)
    noisy = Appearance(noise=20)(grey, np.random.default_rng(1))
    assert noisy.astype(float).std() == pytest.approx(drawn(20, 1, 5, low=0), rel=0.02)
    assert noisy.mean() == pytest.approx(128, abs=0.2)
    textured = np.random.default_rng(2).integers(0, 256, SMOOTH.shape, dtype=np.uint8)
    errors = []
    for quality in (80, 1):
        found = Appearance(quality=quality)(textured, np.random.default_rng(1))
        errors.append(np.abs(found.astype(int) - textured).mean())
    assert 0 < errors[0] < errors[1]


def test_it_changes_the_look_alone() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    labels = np.random.default_rng(1).integers(0, 19, (40, 60), dtype=np.uint8)
    sample = Sample(image, labels, "fog", Path("frame.png"))
    items: list[Any] = []
    for appearance in (None, Appearance(exposure=2, noise=20)):
        transform = TrainTransform((32, 32), 1.0, (0.5, 2.0), appearance=appearance)
        items.append(transform(sample, np.random.default_rng(5)))
    assert (items[0]["labels"] == items[1]["labels"]).all()
    assert not (items[0]["image"] == items[1]["image"]).all()


def test_the_configuration_s_switch_gives_strengths_of_every_change() -> None:
    data = DataConfig.model_validate({"root": "x", "appearance": True})
    assert data.appearance == AppearanceConfig()
    change = Appearance(**data.appearance.model_dump())
    assert min(change.cast, change.exposure, change.blur, change.noise) > 0
    assert change.quality < 100
    assert DataConfig.model_validate({"root": "x", "appearance": False}).appearance is None


TEXTURE = np.random.default_rng(5).integers(90, 166, (45, 63, 3), dtype=np.uint8)
"""Noise of little contrast, so that an octave may grow without clipping; sides that are not even."""


def test_octaves_with_factor_1_leave_the_image_and_with_0_only_what_is_coarse() -> None:
    np.testing.assert_array_equal(scale_octaves(TEXTURE, [1, 1, 1]), TEXTURE)
    half = cv2.pyrDown(TEXTURE.astype(np.float32))
    coarse = cv2.pyrUp(half, dstsize=(63, 45))
    assert np.abs(scale_octaves(TEXTURE, [0]) - coarse).max() <= 0.5 + 1e-3
    quarter = cv2.pyrUp(cv2.pyrDown(half), dstsize=(32, 23))
    expected = cv2.pyrUp(quarter, dstsize=(63, 45))
    assert np.abs(scale_octaves(TEXTURE, [0, 0]) - expected).max() <= 0.5 + 1e-3


def test_each_octave_has_its_own_factor() -> None:
    fine = scale_octaves(TEXTURE, [2, 1, 1]).astype(float) - TEXTURE
    second = scale_octaves(TEXTURE, [1, 0.5, 1]).astype(float) - TEXTURE
    both = scale_octaves(TEXTURE, [2, 0.5, 1]).astype(float) - TEXTURE
    assert fine.std() > 3
    assert second.std() > 1
    assert np.abs(both - fine - second).max() <= 1.5 + 1e-3  # each is rounded


def test_the_strengths_of_detail_are_those_that_were_drawn() -> None:
    factors = [1 + drawn(0.6, 3, 7 + octave) for octave in range(OCTAVES)]
    found = Appearance(detail=0.6)(TEXTURE, np.random.default_rng(3))
    np.testing.assert_array_equal(found, scale_octaves(TEXTURE, factors))
    assert (found != TEXTURE).mean() > 0.5
