from __future__ import annotations

import re

import pytest
import torch

from distill.benchmarks import metrics


def test_the_table_names_both_routes_and_their_ratio() -> None:
    result = metrics.run(0, (12, 16))
    text, rows = result.text, result.figures
    assert re.search(r"\*\*[0-9.]+×\*\*", text)
    assert "12×16×19" in text
    assert [row["route"] for row in rows] == [
        "torchmetrics, confusion matrix",
        "torchmetrics, calibration error",
        "torchmetrics, average precision",
        "ours, all in one pass",
        "torchmetrics, all",
    ]
    theirs = sum(row["seconds"] for row in rows[:3])
    assert rows[-1]["seconds"] == pytest.approx(theirs)
    assert rows[-1]["ratio"] == pytest.approx(theirs / rows[3]["seconds"])


def test_values_that_differ_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "difference", lambda *_: 1e-5)
    with pytest.raises(RuntimeError, match=r"1\.0e-05"):
        metrics.run(0, (12, 16))


def test_a_difference_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    p, labels = metrics.random_predictions((12, 16))
    assert metrics.difference(p, labels) < 1e-6
    exact = metrics.one_pass(p, labels)
    monkeypatch.setattr(metrics, "one_pass", lambda *_: (exact[0], exact[1] + 0.5, exact[2]))
    assert metrics.difference(p, labels) == pytest.approx(0.5, abs=1e-6)
    monkeypatch.setattr(metrics, "one_pass", lambda *_: (exact[0] + 1, *exact[1:]))
    assert metrics.difference(p, labels) == torch.inf
