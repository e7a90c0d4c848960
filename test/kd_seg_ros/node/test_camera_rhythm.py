"""Waiting for a fresher image, on a simulated clock."""

from __future__ import annotations

import math
from bisect import bisect_right
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_seg_ros.node.camera_rhythm import FEWEST, LATE, CameraRhythm


def frames(
    arrivals: list[float], frame_time: float, waits: bool, jitter: float = 0.0
) -> list[tuple[float, float]]:
    """Run a worker on a list of arrivals; return (arrival, start) of each frame that it takes.

    :param jitter: largest deviation of a frame's time, as a part of it.
    """
    random = Random(0)
    rhythm, noted = CameraRhythm(), 0
    taken: list[tuple[float, float]] = []
    now, last = 0.0, -1
    while last + 1 < len(arrivals):
        now = max(now, arrivals[last + 1])
        newest = bisect_right(arrivals, now) - 1
        for arrival in arrivals[noted : newest + 1]:
            rhythm.note(arrival)
        noted = newest + 1
        seconds = rhythm.wait_for_next(arrivals[newest], now) if waits else 0.0
        if seconds > 0 and newest + 1 < len(arrivals) and arrivals[newest + 1] <= now + seconds:
            newest += 1
            now = arrivals[newest]
        else:
            now += seconds
        taken.append((arrivals[newest], now))
        now += frame_time * random.uniform(1 - jitter, 1 + jitter)
        last = newest
    return taken


def camera(period: float, seconds: float, jitter: float = 0.0, seed: int = 0) -> list[float]:
    noise = np.random.default_rng(seed).uniform(-jitter, jitter, round(seconds / period)) * period
    return (period * np.arange(len(noise)) + noise + 1).tolist()


def ages(taken: list[tuple[float, float]], frame_time: float) -> np.ndarray:
    """Ages of the results but for the first, when there is no rhythm, and the last, when the camera stops."""
    return np.array([start - arrival + frame_time for arrival, start in taken[2 * FEWEST : -1]])


@settings(max_examples=40)
@given(
    ratio=st.floats(1.05, 5.0),
    jitter=st.floats(0.0, 0.1),
    period=st.floats(0.005, 0.5),
    seed=st.integers(0, 99),
)
def test_no_result_is_older_than_the_frame_and_half_a_period(
    ratio: float, jitter: float, period: float, seed: int
) -> None:
    frame_time = ratio * period
    arrivals = camera(period, 200 * frame_time, jitter, seed)
    taken = frames(arrivals, frame_time, waits=True)
    margin = 2.5 * jitter * period + 1e-9  # of the period's estimate, the image at hand and the next
    fresh = ages(taken, frame_time)
    assert fresh.max() <= frame_time + period / 2 + margin
    assert fresh.max() < 2 * frame_time
    # What it costs: an eighth of a period per frame on average, half a period at most.
    plain = frames(arrivals, frame_time, waits=False)
    assert len(taken) >= len(plain) / (1 + (0.5 + jitter) / ratio) - 2


@pytest.mark.parametrize("ratio", [1.2, 1.5, 2.0, 3.0, 4.0])
def test_what_it_gains_and_what_it_costs(ratio: float) -> None:
    """Frame time T, period P: results are up to T + P/2 old instead of T + P, and a frame takes T + P/8."""
    arrivals = camera(1 / ratio, 600.0)
    plain, fresh = frames(arrivals, 1.0, False, jitter=0.1), frames(arrivals, 1.0, True, jitter=0.1)
    oldest = ages(fresh, 1.0).max() / ages(plain, 1.0).max()
    assert oldest == pytest.approx((ratio + 1 / 2) / (ratio + 1), abs=0.01)
    late = np.percentile(ages(fresh, 1.0), 90) / np.percentile(ages(plain, 1.0), 90)
    assert late == pytest.approx((ratio + 0.4) / (ratio + 0.9), abs=0.03)
    cost = ratio / (
        ratio + 1 / 8
    )  # if the camera and the network fall together by chance, which they do not quite
    assert len(fresh) / len(plain) == pytest.approx(cost, abs=0.05)


@settings(max_examples=40)
@given(ratio=st.floats(0.2, 0.99), period=st.floats(0.005, 0.5))
def test_a_network_that_keeps_up_never_waits(ratio: float, period: float) -> None:
    arrivals = camera(period, 100 * period)
    assert frames(arrivals, ratio * period, waits=True) == frames(arrivals, ratio * period, waits=False)


@settings(max_examples=40)
@given(ratio=st.floats(1.05, 5.0), period=st.floats(0.005, 0.5), images=st.integers(10, 60))
def test_the_last_image_of_a_camera_that_stops_is_taken(ratio: float, period: float, images: int) -> None:
    arrivals = camera(period, images * period)
    taken = frames(arrivals, ratio * period, waits=True)
    arrival, start = taken[-1]
    assert arrival == arrivals[-1]
    assert start - arrival <= max(1 + LATE, ratio) * period + 1e-9


@pytest.mark.parametrize(
    "arrivals", [[], [1.0], [1.0, 2.0, 3.0], [5.0] * 10, np.cumsum([0.1, 3, 0.1, 3, 0.1, 3, 0.1, 3]).tolist()]
)
def test_without_a_rhythm_nothing_is_waited_for(arrivals: list[float]) -> None:
    rhythm = CameraRhythm()
    for arrival in arrivals:
        rhythm.note(arrival)
    assert rhythm.period is None
    assert rhythm.wait_for_next(0.0, 100.0) == 0.0


def test_single_intervals_that_are_odd_do_not_count() -> None:
    rhythm = CameraRhythm()
    for arrival in [0.0, 0.1, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 1.5, 1.6, 1.7, 1.8, 1.9]:
        rhythm.note(arrival)
    assert rhythm.period is not None
    assert math.isclose(rhythm.period, 0.1)
    assert rhythm.wait_for_next(1.9, 1.94) == 0.0
    assert math.isclose(rhythm.wait_for_next(1.9, 1.96), 0.065)
    assert rhythm.wait_for_next(1.9, 2.1) == 0.0
