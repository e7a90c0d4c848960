"""Cameras that are black, dark, white, blocked or frozen, and weather that must not be taken for it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from distill.scenes.drive import Drive
from kd_seg_ros.inference.camera_faults import (
    CameraFault,
    CameraFaultMonitor,
    FaultTimes,
    picture_fault,
    sample,
)

SIZE = (270, 480)
RNG = np.random.default_rng(5)
TIMES = FaultTimes(picture=3.0, frozen=2.0)
REAL = Path(__file__).resolve().parents[3] / ".." / "shared" / "data"


def noise(mean: float, deviation: float) -> NDArray[np.uint8]:
    """Return an image of noise, as a covered sensor gives it."""
    return np.clip(RNG.normal(mean, deviation, (*SIZE, 3)), 0, 255).astype(np.uint8)


def street() -> NDArray[np.uint8]:
    """Return an image with structure everywhere."""
    image = np.full((*SIZE, 3), 90, np.uint8)
    for _ in range(400):
        corner, colour = RNG.integers(0, SIZE[::-1]), RNG.integers(0, 256, 3).tolist()
        cv2.rectangle(image, corner.tolist(), (corner + RNG.integers(5, 60, 2)).tolist(), colour, -1)
    return image


def behind_mud() -> NDArray[np.uint8]:
    """Return a street of which 7 tenths are brown."""
    image = street()
    image[81:] = (40, 32, 25)
    return image


def found(image: NDArray[np.uint8]) -> CameraFault | None:
    return picture_fault(sample(image))


@pytest.mark.parametrize(
    ("image", "fault"),
    [
        (noise(0, 0), CameraFault.BLACK),
        (noise(4, 6), CameraFault.BLACK),
        (noise(16, 1), CameraFault.BLACK),
        ((street() * 0.15).astype(np.uint8), CameraFault.UNDEREXPOSED),
        (noise(255, 0), CameraFault.OVEREXPOSED),
        (np.clip(street().astype(int) + 220, 0, 255).astype(np.uint8), CameraFault.OVEREXPOSED),
        (noise(120, 4), CameraFault.BLOCKED),
        (noise(60, 0), CameraFault.BLOCKED),
        (behind_mud(), CameraFault.BLOCKED),
        (street(), None),
        (street()[..., ::-1], None),
        (street()[:, :100], None),
    ],
)
def test_one_image(image: NDArray[np.uint8], fault: CameraFault | None) -> None:
    assert found(image) is fault


@pytest.mark.parametrize("condition", ["fog", "night", "rain", "snow"])
def test_weather_is_no_fault(condition: str) -> None:
    assert found(Drive(1, (135, 240), 2, (condition,)).render(0).rgb) is None


@pytest.mark.parametrize("pattern", ["acdc_mini/rgb_anon/**/*.png", "camvid/val/images/*.jpg"])
def test_real_frames_are_no_faults(pattern: str) -> None:
    files = sorted(REAL.glob(pattern))[::5]
    if not files:
        pytest.skip("no real images here")
    for file in files:
        image = cv2.imread(str(file))
        assert image is not None
        assert found(np.asarray(image, np.uint8)) is None, file


class Clock:
    """Says the time that it was set to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def monitor(clock: Clock) -> CameraFaultMonitor:
    return CameraFaultMonitor(clock)


def test_a_fault_counts_once_it_has_lasted_and_ends_with_the_first_good_image(
    monitor: CameraFaultMonitor, clock: Clock
) -> None:
    faults = []
    for tenth in range(50):
        clock.now = 100 + tenth / 10
        monitor.add(noise(4, 6) if 10 <= tenth < 45 else street(), tenth)
        faults.append(monitor.fault(TIMES))
    first = faults.index(CameraFault.BLACK)
    assert 10 + 30 <= first <= 10 + 32
    assert faults[:first] == [None] * first
    assert faults[45 + 2 :] == [None] * 3, "it is looked five times a second"


def test_a_short_flash_is_no_fault(monitor: CameraFaultMonitor, clock: Clock) -> None:
    white, good = noise(255, 0), street()
    for tenth in range(100):
        clock.now = 100 + tenth / 10
        monitor.add(white if tenth % 20 < 10 else good, tenth)
        assert monitor.fault(TIMES) is None


def test_the_same_image_under_new_stamps_is_a_frozen_camera(
    monitor: CameraFaultMonitor, clock: Clock
) -> None:
    image = street()
    monitor.add(street(), 0)
    for number in range(1, 32):
        clock.now = 100 + number / 8
        monitor.add(image, number)
        assert monitor.fault(TIMES) is (CameraFault.FROZEN if number >= 1 + 16 else None)
    assert monitor.fault(FaultTimes(3.0, 0.0)) is None, "switched off"
    monitor.add(street(), 99)
    assert monitor.fault(TIMES) is None


def test_the_same_message_again_says_nothing_about_the_camera(
    monitor: CameraFaultMonitor, clock: Clock
) -> None:
    image = street()
    for _ in range(50):
        clock.now += 0.1
        monitor.add(image, 7)
    assert monitor.fault(TIMES) is None


def test_a_black_image_without_noise_is_called_black_rather_than_frozen(
    monitor: CameraFaultMonitor, clock: Clock
) -> None:
    monitor.add(street(), 0)
    for number in range(1, 60):
        clock.now += 0.1
        monitor.add(noise(0, 0), number)
    assert monitor.fault(TIMES) is CameraFault.BLACK
    assert monitor.fault(FaultTimes(0.0, 2.0)) is CameraFault.FROZEN


def test_what_was_before_a_pause_does_not_count(monitor: CameraFaultMonitor, clock: Clock) -> None:
    monitor.add(noise(4, 6), 0)
    clock.now += 60
    monitor.add(noise(4, 6), 1)
    assert monitor.fault(TIMES) is None
