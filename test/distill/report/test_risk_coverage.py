"""The curves of a run and the marks of its thresholds, read back from the artists."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from distill.report.risk_coverage import risk_coverage_plot
from distill.report.runs import Run

PROMISE = {
    "rule": "road=0.05", "threshold_of": "full", "condition": "full", "level": 200, "promised": 0.05,
    "measured": 0.03, "coverage": 0.8, "unit": "image", "units": 30,
}  # fmt: skip


def with_changes(run: Run, **changes: Any) -> Run:
    """Return a run whose metrics.json has other entries."""
    return replace(run, evaluated=replace(run.evaluated, document=run.document | changes))


def test_a_curve_for_all_images_and_each_condition(runs: list[Run]) -> None:
    run = runs[0]
    drawn = risk_coverage_plot(run)
    assert drawn is not None
    lines = drawn.axes[0].get_lines()
    assert len(lines) == len(run.columns)
    for line, condition in zip(lines, run.columns, strict=True):
        scores = run.scores(condition)
        assert line.get_label() == f"{condition}, AURC {100 * scores['aurc']:.2f} %"
        np.testing.assert_array_equal(line.get_ydata(), np.array(scores["risk_coverage"]["risk"], float))


def test_promised_thresholds_are_marked(runs: list[Run]) -> None:
    others = [PROMISE | {"condition": "fog"}, PROMISE | {"threshold_of": "fog", "condition": "fog"}]
    run = with_changes(runs[0], risk=[PROMISE, *others])
    drawn = risk_coverage_plot(run)
    assert drawn is not None
    marks = drawn.axes[0].get_lines()[len(run.columns) :]
    assert [np.asarray(mark.get_ydata()).tolist() for mark in marks] == [[0.03, 0.05], [0.05], [0.03]]
    assert [text.get_text() for text in drawn.axes[0].texts] == ["road=0.05"]


def test_older_files_have_no_curves(runs: list[Run]) -> None:
    scores = {name: dict(values) for name, values in runs[0].document["scores"].items()}
    del scores["full"]["risk_coverage"]
    assert risk_coverage_plot(with_changes(runs[0], scores=scores)) is None
