from __future__ import annotations

import numpy as np
import pytest

from kd_seg_ros.node.frame_statistics import FrameStatistics


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_rates_over_the_time_since_the_start_until_the_window_is_full(clock: Clock) -> None:
    statistics = FrameStatistics(window=10.0, clock=clock)
    for _ in range(8):
        clock.now += 0.25
        statistics.count("received")
    assert statistics.summary().rates["received"] == pytest.approx(4.0)
    for _ in range(100):
        clock.now += 0.5
        statistics.count("received")
    assert statistics.summary().rates["received"] == pytest.approx(2.0, abs=0.11)
    assert statistics.summary().totals == {"received": 108}


def test_what_left_the_window_counts_in_the_totals_only(clock: Clock) -> None:
    statistics = FrameStatistics(window=10.0, clock=clock)
    statistics.count("failed")
    statistics.record("latency_ms", 7.0)
    clock.now += 11.0
    summary = statistics.summary()
    assert summary.totals == {"failed": 1}
    assert summary.rates == {}
    assert summary.percentiles == {}


def test_percentiles(clock: Clock) -> None:
    statistics = FrameStatistics(window=10.0, clock=clock)
    values = np.random.default_rng(0).permutation(101).astype(float)  # 0 … 100
    for value in values:
        statistics.record("latency_ms", value)
    assert statistics.summary().percentiles == {"latency_ms": (50.0, 95.0, 99.0)}


def test_nothing_yet(clock: Clock) -> None:
    summary = FrameStatistics(clock=clock).summary()
    assert (summary.totals, summary.rates, summary.percentiles) == ({}, {}, {})
