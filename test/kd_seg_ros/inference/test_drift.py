"""Drift: the expected accuracy of the last seconds against the range that calibration saw."""

from __future__ import annotations

import numpy as np
import pytest
import tiny_model
from trust_entries import CORRECTION, DOMAIN

from kd_seg_ros.inference.accuracy import AccuracyEstimator
from kd_seg_ros.inference.drift import Drift, DriftMonitor

TABLE: dict[str, list[float | None]] = {
    "confidence": [0.1, None, 0.9],
    "accuracy": [0.2, None, 0.95],
    "share": [0.5, 0.0, 0.5],
}


def test_unsure_images_leave_the_range_and_old_ones_are_forgotten() -> None:
    now = 0.0
    watch = DriftMonitor(AccuracyEstimator(TABLE, {}), (0.8, 0.99), window=10, clock=lambda: now)
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
    watch = DriftMonitor(AccuracyEstimator(TABLE, {}), (0.3, 0.9), window=10)
    watch.add(np.full((8, 8), 255, np.uint8))
    state = watch.state()
    assert state is not None
    assert state.outside


def test_strange_images_are_never_fine() -> None:
    """As sure as ever, but the images are strange: drift, and beyond the limit no figure at all."""
    domain = {"domain": DOMAIN, "reliability": {"full": TABLE}}
    card = tiny_model.card(4, 6, **domain, accuracy_correction=CORRECTION, expected_accuracy={})
    sure = np.full((8, 8), 250, np.uint8)

    def watched(*distances: float) -> Drift:
        watch = DriftMonitor.of_card(card, window=10)
        assert watch is not None
        for distance in distances:
            watch.add(sure, distance)
        state = watch.state()
        assert state is not None
        return state

    near = watched(1.0, 1.0, 1.0)
    assert (near.kind, near.outside, near.unknown) == ("corrected", False, False)
    assert (near.low, near.high) == (0.6, 0.95)
    far = watched(4.0, 4.0)
    assert (far.expected_accuracy, far.outside) == (pytest.approx(0.475), True)
    # Most images decide, and those without a figure are left out of the mean.
    some = watched(1.0, 1.0, 9.0)
    assert (some.expected_accuracy, some.kind, some.latest) == (pytest.approx(0.95), "corrected", None)
    lost = watched(1.0, 9.0)
    assert (lost.expected_accuracy, lost.kind, lost.unknown, lost.outside) == (None, "unknown", True, False)


def test_the_range_of_a_raw_estimate_is_the_cards() -> None:
    table = {"reliability": {"full": TABLE}}
    watch = DriftMonitor.of_card(tiny_model.card(4, 6, **table, expected_accuracy={"full": [0.7, 0.9]}), 10)
    assert watch is not None
    watch.add(np.full((8, 8), 250, np.uint8), 99.0)
    state = watch.state()
    assert state is not None
    assert (state.low, state.high, state.kind, state.outside) == (0.7, 0.9, "raw", True)
    assert DriftMonitor.of_card(tiny_model.card(4, 6, **table, expected_accuracy={}), 10) is None
