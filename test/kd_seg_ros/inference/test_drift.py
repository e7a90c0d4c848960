"""Expected accuracy from a reliability table, and drift from it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.metrics import ConfidenceBins
from kd_seg_ros.inference.drift import DriftMonitor, bin_accuracy, bin_counts, expected_accuracy

TABLE: dict[str, list[float | None]] = {
    "confidence": [0.1, None, 0.9],
    "accuracy": [0.2, None, 0.95],
    "share": [0.5, 0.0, 0.5],
}


def test_expected_accuracy_is_the_mean_of_the_bins_accuracy() -> None:
    assert expected_accuracy(np.array([1, 0, 3]), bin_accuracy(TABLE)) == pytest.approx((0.2 + 3 * 0.95) / 4)
    both = expected_accuracy(np.array([[1, 0, 3], [0, 0, 0]]), bin_accuracy(TABLE))
    assert both[0] == pytest.approx(0.7625)
    assert np.isnan(both[1])


def test_an_empty_bin_is_taken_at_its_word() -> None:
    np.testing.assert_allclose(bin_accuracy(TABLE), [0.2, 0.5, 0.95])


@given(st.integers(0, 255).filter(lambda level: level % 17))  # these are the edges, where rounding decides
def test_bins_are_those_of_the_metrics(level: int) -> None:
    bins = ConfidenceBins(15)
    bins.update(np.full(16, level) / 255, np.zeros(16, bool))
    count, _, _ = bins.sums()
    count[-2] += count[-1]
    assert bin_counts(np.full((16, 16), level, np.uint8), 15).tolist() == count[:-1].tolist()


def test_on_calibration_like_images_the_estimate_is_the_accuracy() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.beta(4, 1, (400, 400))
    right = rng.random(confidence.shape) < confidence**2  # over-confident, which the table knows
    bins = ConfidenceBins(15)
    bins.update(confidence, right)
    table = {name: list(values) for name, values in bins.reliability()._asdict().items()}
    found = expected_accuracy(
        bin_counts(np.round(255 * confidence).astype(np.uint8), 15), bin_accuracy(table)
    )
    assert found == pytest.approx(right.mean(), abs=0.01)


def test_unsure_images_leave_the_range_and_old_ones_are_forgotten() -> None:
    now = 0.0
    watch = DriftMonitor(TABLE, (0.8, 0.99), window=10, clock=lambda: now)
    assert watch.state() is None
    sure, unsure = np.full((8, 8), 250, np.uint8), np.full((8, 8), 20, np.uint8)
    watch.add(sure)
    state = watch.state()
    assert state is not None
    assert state.latest == pytest.approx(0.95)
    assert not state.outside
    now = 5.0
    watch.add(unsure)
    state = watch.state()
    assert state is not None
    assert (state.expected_accuracy, state.frames, state.outside) == (pytest.approx(0.575), 2, True)
    assert state.latest == pytest.approx(0.2)
    now = 12.0
    state = watch.state()
    assert state is not None
    assert (state.expected_accuracy, state.frames) == (pytest.approx(0.2), 1)
    now = 30.0
    assert watch.state() is None


def test_a_surer_network_than_ever_is_drift_too() -> None:
    watch = DriftMonitor(TABLE, (0.3, 0.9), window=10)
    watch.add(np.full((8, 8), 255, np.uint8))
    state = watch.state()
    assert state is not None
    assert state.outside
