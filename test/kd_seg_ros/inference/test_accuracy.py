"""Expected accuracy: from a reliability table, corrected by the domain distance, or withheld."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tiny_model
from hypothesis import given
from hypothesis import strategies as st
from trust_entries import CORRECTION, DOMAIN

from distill.metrics import ConfidenceBins
from kd_seg_ros.inference.accuracy import (
    CORRECTED,
    RAW,
    UNKNOWN,
    AccuracyEstimate,
    AccuracyEstimator,
    bin_accuracy,
    bin_counts,
    expected_accuracy,
)
from kd_seg_ros.inference.card import ModelCard

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


SURE = np.full((8, 8), 250, np.uint8)
"""A confidence map whose raw estimate is 0.95."""


@pytest.mark.parametrize(
    ("distance", "factor"),
    [(0.0, 1.0), (0.9, 1.0), (1.0, 1.0), (2.0, 0.75), (4.0, 0.5), (8.0, 0.5)],
)
def test_a_strange_image_gets_a_lower_estimate(distance: float, factor: float) -> None:
    found = AccuracyEstimator(TABLE, CORRECTION).estimate(SURE, distance)
    assert found.kind == CORRECTED
    assert found.value == pytest.approx(0.95 * factor)


@pytest.mark.parametrize("distance", [8.001, math.inf, math.nan, None])
def test_an_image_that_is_too_strange_gets_none(distance: float | None) -> None:
    assert AccuracyEstimator(TABLE, CORRECTION).estimate(SURE, distance) == AccuracyEstimate(None, UNKNOWN)


def test_an_estimate_is_never_above_one() -> None:
    correction = CORRECTION | {"factors": [1.2, 0.5]}
    assert AccuracyEstimator(TABLE, correction).estimate(SURE, 0.5).value == 1


def test_without_a_correction_the_estimate_is_raw_whatever_the_distance() -> None:
    for distance in (None, 1.0, 100.0):
        found = AccuracyEstimator(TABLE, {}).estimate(SURE, distance)
        assert found.kind == RAW
        assert found.value == pytest.approx(0.95)


def test_what_a_card_allows() -> None:
    def card(**changes: object) -> ModelCard:
        return tiny_model.card(4, 6, reliability={}, domain=DOMAIN, **changes)

    assert AccuracyEstimator.of_card(card()) is None
    # Without a table a confidence is taken for the accuracy, as a correction is fitted then.
    found = AccuracyEstimator.of_card(card(accuracy_correction=CORRECTION))
    assert found is not None
    assert found.kind == CORRECTED
    assert found.estimate(SURE, 1.0).value == pytest.approx(14.5 / 15)
    raw = AccuracyEstimator.of_card(tiny_model.card(4, 6, reliability={"full": TABLE}))
    assert raw is not None
    assert raw.kind == RAW
