"""The plots of scores, read back from the artists; every one is written as PNG and PDF."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from distill.report.comparison_plots import (
    Speeds,
)
from distill.report.comparisons import references
from distill.report.plots import class_distribution, confusion, make_plots, reliability
from distill.report.runs import Run, load_runs

MakeRun = Callable[..., Path]


def bars_of(axes: Axes) -> list[Rectangle]:
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def test_reliability_diagrams_of_the_whole_and_of_each_condition(runs: list[Run]) -> None:
    run = runs[0]
    drawn = [axes for axes in reliability(run).axes if axes.get_visible()]
    upper = {axes.get_title().partition(":")[0]: axes for axes in drawn if axes.get_title()}
    assert tuple(upper) == run.columns
    assert len(drawn) == 2 * len(upper)
    for condition, axes in upper.items():
        scores = run.scores(condition)
        assert f"ECE {100 * scores['ece']:.2f} %" in axes.get_title()
        bars = scores["reliability"]
        pairs = [p for p in zip(bars["accuracy"], bars["confidence"], strict=True) if None not in p]
        heights = [bar.get_height() for bar in bars_of(axes)]
        np.testing.assert_allclose(heights[::2], [accuracy for accuracy, _ in pairs])
        np.testing.assert_allclose(heights[1::2], [confidence - accuracy for accuracy, confidence in pairs])


def test_confusion_matrix(runs: list[Run]) -> None:
    run = runs[0]
    axes = confusion(run).axes[0]
    table = np.array(run.scores()["confusion"], float)[:, :-1]
    shares = 100 * table / table.sum(axis=1, keepdims=True)
    shown = np.zeros_like(shares)
    for text in axes.texts:
        x, y = text.get_position()
        shown[int(y), int(x)] = float(text.get_text())
    np.testing.assert_allclose(shown, np.where(shares >= 0.5, shares, 0), atol=0.51)
    assert [text.get_text() for text in axes.get_yticklabels()] == list(run.class_names)


def test_abstained_pixels_have_a_column(runs: list[Run]) -> None:
    run = runs[0]
    scores = {name: run.scores(name) for name in run.columns}
    table = np.array(scores["full"]["confusion"])
    table[0, -1] = 100
    scores["full"]["confusion"] = table.tolist()
    changed = replace(run, evaluated=replace(run.evaluated, document=run.document | {"scores": scores}))
    labels = confusion(changed).axes[0].get_xticklabels()
    assert labels[-1].get_text() == "abstained"


def test_class_distribution(runs: list[Run]) -> None:
    axes = class_distribution(runs[0]).axes[0]
    pixels = runs[0].images.confusion.sum(axis=(0, 2))
    np.testing.assert_allclose([bar.get_width() for bar in bars_of(axes)], pixels / pixels.sum())
    assert axes.get_xscale() == "log"


def test_all_plots_of_a_report(make_run: MakeRun, tmp_path: Path) -> None:
    made = [
        make_run("first", curve={1: 0.2, 2: 0.3}),
        make_run("second", teacher=True, curve={1: 0.3}),
        make_run("third", student={"model": "pidnet_s"}),
    ]
    runs, folder = load_runs(made), tmp_path / "plots"
    found = make_plots(runs, references(runs), runs[:2], Speeds({"pidnet_s": 100.0}, "somewhere"), folder)
    assert (len(found.epochs), len(found.tradeoff)) == (1, 2)
    assert (len(found.reliability), len(found.confusion), len(found.classes)) == (6, 2, 1)
    drawn = [*found.epochs, *found.tradeoff, *found.reliability, *found.confusion, *found.classes]
    names = {f"{plot.file}{kind}" for plot in drawn for kind in (".png", ".pdf")}
    assert {path.name for path in folder.iterdir()} == names
    assert any("not known of third" in note for note in found.notes)
    assert any("FPS lacks first, second" in note for note in found.notes)
    alone = make_plots(runs[:1], {}, [], Speeds({}, ""), folder)
    assert (alone.tradeoff, alone.notes) == ([], [])
