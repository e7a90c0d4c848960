"""Risk-coverage curves of a run: how wrong the pixels are that a threshold of the confidence keeps."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from distill.common.formats import error_percent
from distill.evaluation.metrics_json import FULL
from distill.report.figures import figure
from distill.report.runs import Run

_COLOURS: Final = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_LINES: Final = ("-", "--", "-.", ":")


def risk_coverage_plot(run: Run) -> Figure | None:
    """Draw a curve for all images and one for each condition, and mark the thresholds that were promised.

    A mark shows what a threshold keeps of its classes' pixels and how many of those are wrong, over all
    images; a line from there leads to the risk that was promised.

    :return: None if the run's metrics.json is from before the curves were written.
    """
    curves = {name: run.scores(name).get("risk_coverage") for name in run.columns}
    if not all(curves.values()):
        return None
    drawn = figure(4.2)
    axes = drawn.add_subplot()
    for number, (condition, curve) in enumerate(curves.items()):
        assert curve is not None
        axes.plot(
            np.array(curve["coverage"], np.float64),
            np.array(curve["risk"], np.float64),
            color=_COLOURS[number % len(_COLOURS)],
            linestyle=_LINES[number % len(_LINES)],
            label=f"{condition}, AURC {error_percent(run.scores(condition)['aurc'])} %",
        )
    for entry in _promises(run):
        x, measured, promised = entry["coverage"], entry["measured"], entry["promised"]
        axes.plot([x, x], [measured, promised], color="#5b6570", linewidth=1)
        axes.plot([x], [promised], marker="_", color="#5b6570", markersize=12)
        axes.plot([x], [measured], marker="o", color="#5b6570", markersize=5)
        axes.annotate(
            entry["rule"], (x, measured), (-4, 4), textcoords="offset points", ha="right", fontsize=8
        )
    axes.set(xlim=(0, 1.01), xlabel="pixels kept", ylabel="wrong ones among them", title=run.label)
    axes.set_ylim(bottom=0)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1))
    axes.legend(loc="upper left", fontsize=8)
    return drawn


def _promises(run: Run) -> list[dict[str, Any]]:
    """Return how the thresholds over all weathers do on all images, as metrics.json has it."""
    entries = run.document.get("risk", [])
    return [entry for entry in entries if entry["threshold_of"] == FULL == entry["condition"]]
