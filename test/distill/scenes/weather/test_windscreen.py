"""The windscreen: what a drop, the film and the wiper do to the picture, and when."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.scenes.drive import Drive
from distill.scenes.weather.windscreen import Windscreen, _put_drop, _sweep_angle

SIZE = (60, 96)
SIZES = st.tuples(st.integers(16, 60), st.integers(16, 90))
GLASS = Windscreen(
    seed=5,
    drops=200,
    radius=0.03,
    defocus=0.003,
    film=0.0,
    pivot=(0.5, 1.05),
    joint=(0.6, 0.2),
    blade=(0.9, 0.04),
    interval=4.0,
    sweep=1.0,
    delay=0.0,
)


@pytest.fixture
def scene() -> np.ndarray:
    """Bright sky above a dark street, linear radiance [H,W,3]."""
    image = np.full((*SIZE, 3), 0.8, np.float32)
    image[30:] = 0.1
    return image


def test_dry_glass_changes_nothing(scene: np.ndarray) -> None:
    dry = replace(GLASS, drops=0, pivot=(0.5, 1.4), joint=(0.3, 0.0))  # the wiper rests below the picture
    np.testing.assert_allclose(dry.look_through(scene.copy(), 2.0), scene, rtol=1e-6)


def test_a_drop_turns_its_surroundings_by_half_a_turn() -> None:
    y, x = np.mgrid[:41, :61].astype(np.float32)
    cover = np.zeros((41, 61), np.float32)
    _put_drop(cover, x, y, (30.0, 20.0), 6.0, 12.0)
    assert cover[20, 30] == 1
    assert cover.sum() == pytest.approx(np.pi * 36 / 0.9, rel=0.1)
    assert (x[20, 30], y[20, 30]) == (30, 20)
    assert y[17, 30] == pytest.approx(20 + 3 / 6 * 12)  # above the middle it shows what is below
    assert x[20, 33] == pytest.approx(30 - 3 / 6 * 12)
    assert (x[0, 0], y[0, 0]) == (0, 0)  # beside the drop nothing changes


def test_a_drop_outside_the_picture_is_left_out() -> None:
    y, x = np.mgrid[:10, :10].astype(np.float32)
    cover = np.zeros((10, 10), np.float32)
    _put_drop(cover, x, y, (-9.0, 30.0), 2.0, 5.0)
    assert not cover.any()


def test_drops_gather_until_the_wiper_has_passed(scene: np.ndarray) -> None:
    def changed(time: float) -> int:
        return int((np.abs(GLASS.look_through(scene.copy(), time) - scene).max(2) > 0.02).sum())

    early, later, latest, cleaned = changed(1.1), changed(2.5), changed(3.9), changed(5.05)
    assert early < later < latest
    assert cleaned < latest / 2


def test_the_drops_that_lie_there_stay_where_they_are(scene: np.ndarray) -> None:
    before = np.abs(GLASS.look_through(scene.copy(), 2.5) - scene).max(2) > 0.1
    after = np.abs(GLASS.look_through(scene.copy(), 2.6) - scene).max(2) > 0.1
    assert before.any()
    assert (before & after).sum() > 0.95 * before.sum()


def test_the_wiper_is_dark_and_moves(scene: np.ndarray) -> None:
    clean = replace(GLASS, drops=0)
    places = []
    for time in (0.2, 0.3, 0.5):
        dark = clean.look_through(scene.copy(), time)[..., 0] < 0.5 * scene[..., 0]
        assert 20 < dark.sum() < 0.2 * dark.size
        places.append(dark)
    assert not (places[0] & places[2]).all(where=places[0])
    assert (places[0] != places[1]).any()


def test_the_arm_rests_at_both_ends_of_a_sweep() -> None:
    angles = [_sweep_angle(phase) for phase in (0, 0.25, 0.5, 0.75, 1)]
    assert angles[0] == pytest.approx(angles[4])
    assert angles[1] == pytest.approx(angles[3])
    assert max(angles) == angles[2]


def test_a_film_blurs_and_dries(scene: np.ndarray) -> None:
    wet = replace(GLASS, drops=0, film=0.9)
    texture = scene * np.random.default_rng(0).uniform(0.5, 1.5, scene.shape).astype(np.float32)

    def contrast(time: float) -> float:
        return float(np.abs(np.diff(wet.look_through(texture.copy(), time), axis=1)).mean())

    assert contrast(1.05) < 0.8 * contrast(3.9)
    assert contrast(3.9) <= 1.01 * float(np.abs(np.diff(texture, axis=1)).mean())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 1), st.floats(0, 100), SIZES)
def test_glass_brings_no_light_of_its_own(
    seed: int, strength: float, time: float, size: tuple[int, int]
) -> None:
    rng = np.random.default_rng(seed)
    image = rng.uniform(0.05, 2, (*size, 3)).astype(np.float32)
    seen = Windscreen.draw(rng, strength).look_through(image.copy(), time)
    assert seen.shape == image.shape
    assert seen.dtype == np.float32
    assert seen.min() >= 0.011
    assert seen.max() <= image.max() + 1e-4


def test_drives_in_rain_repeat_themselves() -> None:
    first = Drive(3, (48, 80), 4, ("rain",)).render(2)
    np.testing.assert_array_equal(first.rgb, Drive(3, (48, 80), 4, ("rain",)).render(2).rgb)
