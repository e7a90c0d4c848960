"""The curves and the table of the domain distances, read back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from distill.evaluation.domain_scores import DomainScores
from distill.report.domain import domain_plot, domain_tables
from distill.report.runs import Run

QUANTILES = {"50": 0.9, "95": 1.2, "99": 1.5, "99.9": 1.8}


@pytest.fixture
def run(runs: list[Run]) -> Run:
    """A run of nine images whose distances are known, one of them infinite."""
    images = runs[0].images
    distances = np.array([1.0, 2.0, 1.1, 1.2, np.inf, 0.9, 0.8, 1.4, 1.6])
    scores = DomainScores({"quantiles": QUANTILES})
    for condition, distance in zip(images.conditions, distances, strict=True):
        scores.update(str(condition), float(distance))
    document = runs[0].document | {"domain": scores.summary()}
    images = replace(images, domain_distance=distances)
    return replace(runs[0], evaluated=replace(runs[0].evaluated, document=document, images=images))


def test_a_curve_is_the_share_of_images_by_distance(run: Run) -> None:
    drawn = domain_plot(run)
    assert drawn is not None
    *curves, limit = drawn.axes[0].get_lines()
    assert [curve.get_label() for curve in curves][:3] == [
        "full, 33.3 % above",
        "fog, 50.0 % above",
        "night, 33.3 % above",
    ]
    assert np.asarray(limit.get_xdata()).tolist() == [1.5, 1.5]
    night = curves[2]  # 1.1, 1.2 and infinite
    right = drawn.axes[0].get_xlim()[1]
    assert np.asarray(night.get_xdata()).tolist() == [0, 1.1, 1.2, right]
    assert np.asarray(night.get_ydata()).tolist() == pytest.approx([0, 1 / 3, 2 / 3, 2 / 3])


def test_the_table_holds_median_and_share_above_the_limit(run: Run, runs: list[Run]) -> None:
    (table,) = domain_tables([run, runs[1]])
    assert [row.title for row in table.rows] == ["e_rn18_border", "fog", "night", "rain", "snow"]
    assert [cell.text for cell in table.rows[0].cells] == ["9", "1.200", "1.500", "33.3"]
    assert [cell.text for cell in table.rows[2].cells] == ["3", "1.200", "1.500", "33.3"]
    assert table.notes


def test_models_without_a_distance_have_neither(run: Run, runs: list[Run]) -> None:
    assert domain_plot(runs[0]) is None
    assert domain_tables(runs) == []
    other = replace(run, evaluated=replace(run.evaluated, document=runs[0].document))
    assert domain_plot(other) is None
