"""AUPRC with fixed thresholds against hand-computed areas, and scikit-learn's trapezoid."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import auc

from distill.metrics.precision_recall import Auprc, auprc


def test_hand_computed_areas() -> None:
    """Thresholds 0, ½, 1: recall 1, ¾, ¼; precision 4/10, 3/4, 1."""
    positives, negatives = np.array([[1, 2, 1]]), np.array([[5, 1, 0]])
    step = 0.25 * 0.4 + 0.5 * 0.75 + 0.25 * 1
    assert auprc(positives, negatives)[0] == pytest.approx(step, rel=1e-12)
    curve = auc([0, 0.25, 0.75, 1], [1, 1, 0.75, 0.4])
    assert auprc(positives, negatives, "trapezoid")[0] == pytest.approx(curve, rel=1e-12)


def test_thresholds_that_nothing_reaches_are_left_out() -> None:
    """The trapezoid closes the curve from the last one that something reaches."""
    positives, negatives = np.array([[1, 1, 0, 0]]), np.array([[2, 0, 0, 0]])
    assert auprc(positives, negatives)[0] == pytest.approx(0.5 * 0.5 + 0.5 * 1)
    assert auprc(positives, negatives, "trapezoid")[0] == pytest.approx(0.5 * 0.75 + 0.5 * 1)


def test_a_class_without_pixels_is_undefined_and_not_averaged() -> None:
    areas = auprc(np.array([[0, 2], [0, 0]]), np.array([[3, 0], [2, 1]]))
    np.testing.assert_array_equal(areas, [1, np.nan])
    assert Auprc(areas, "step", 2).mean == 1
    assert np.isnan(Auprc(areas[1:], "step", 2).mean)


def test_negatives_reached_where_no_positive_is() -> None:
    assert auprc(np.array([[1, 0]]), np.array([[0, 1]]))[0] == pytest.approx(0.5)
    assert auprc(np.array([[1, 0]]), np.array([[0, 1]]), "trapezoid")[0] == pytest.approx(0.25)
