"""How far a run's images are from those its model was calibrated on: a plot per run, and a table of all runs.

Only evaluations of model files that tell their domain distance have these figures, see docs/trust.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from distill.common.formats import percent, three_digits
from distill.evaluation.metrics_json import FULL
from distill.report.figures import figure
from distill.report.runs import Run
from distill.report.tables import Cell, Row, Table

_COLOURS: Final = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_LINES: Final = ("-", "--", "-.", ":")


def domain_plot(run: Run) -> Figure | None:
    """Draw which share of the images is at most how far away, a curve for each condition.

    A vertical line is the distance that 1 % of calibration's images exceed; a curve that begins to its right
    is of images that are all unlike those. Infinite distances are beyond the right edge.

    :return: None if the run's model does not tell a distance.
    """
    entry, distances = _entry(run), run.images.domain_distance
    if entry is None or distances is None:
        return None
    drawn = figure(4.2)
    axes = drawn.add_subplot()
    finite = distances[np.isfinite(distances)]
    right = 1.05 * max([entry["limit"], *finite.tolist()])
    for number, condition in enumerate(run.columns):
        chosen = distances if condition == FULL else distances[run.images.conditions == condition]
        sorted_ones = np.sort(chosen)
        shares = np.arange(len(sorted_ones) + 1) / len(sorted_ones)
        reached = np.isfinite(sorted_ones)
        # From zero, in steps at each image, and on to the edge at the share that was reached.
        places = [0.0, *sorted_ones[reached].tolist(), right]
        heights = [0.0, *shares[1:][reached].tolist(), float(np.mean(reached))]
        axes.step(
            places,
            heights,
            where="post",
            color=_COLOURS[number % len(_COLOURS)],
            linestyle=_LINES[number % len(_LINES)],
            label=f"{condition}, {percent(entry['scores'][condition]['above_limit'])} % above",
        )
    axes.axvline(entry["limit"], color="#5b6570", linewidth=1)
    axes.annotate(
        "99 % of calibration",
        (entry["limit"], 0),
        (-3, 4),
        textcoords="offset points",
        fontsize=8,
        color="#5b6570",
        ha="right",
    )
    axes.set(xlim=(0, right), ylim=(0, 1.01), xlabel="domain distance", ylabel="images", title=run.label)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.legend(loc="upper left", fontsize=8)
    return drawn


def domain_tables(runs: Sequence[Run]) -> list[Table]:
    """Return a table of the distances by run and condition; none if no model tells any."""
    rows = []
    for run in runs:
        entry = _entry(run)
        if entry is None:
            continue
        for condition in run.columns:
            found = entry["scores"][condition]
            cells = [
                Cell(str(found["images"])),
                Cell(three_digits(found["median"])),
                Cell(three_digits(entry["limit"])),
                Cell(percent(found["above_limit"])),
            ]
            title, kind = (run.label, "first") if condition == run.columns[0] else (condition, "next")
            rows.append(Row(title, cells, kind))
    if not rows:
        return []
    notes = [
        "The domain distance is about 1 for an image like those of calibration; the limit is what 1 % of "
        "those exceed. Where many images are above it, how far the confidence can be trusted is not known."
    ]
    return [Table(["run", "images", "median", "limit", "above the limit [%]"], rows, notes=notes)]


def _entry(run: Run) -> dict[str, Any] | None:
    """Return the entry ``domain`` of a run's metrics.json; None where it has none of all its conditions."""
    entry: dict[str, Any] | None = run.document.get("domain")
    return entry if entry and set(run.columns) <= set(entry["scores"]) else None
