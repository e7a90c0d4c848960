"""Plots of a run's scores: reliability diagrams, confusion matrix, class distribution (figure 2.12)."""

from __future__ import annotations

from typing import Final

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from distill.common.palette import palette
from distill.evaluation.reliability_diagram import draw_grid, draw_legend
from distill.report.class_chart import lowest_power, percent
from distill.report.figures import BLUE, figure
from distill.report.runs import Run

_SHOWN: Final = 0.005
"""Smaller shares have no number in a confusion matrix."""
_SHADES: Final = LinearSegmentedColormap.from_list("blues", ["#ffffff", "#56B4E9", BLUE, "#00284a"])


def reliability(run: Run) -> Figure:
    """Draw accuracy against confidence over all images and for each condition."""
    diagrams = {condition: run.scores(condition) for condition in run.columns}
    across = min(2, len(diagrams))
    rows = -(-len(diagrams) // across)
    drawn = figure(1 + 2.9 * rows, 1 + 2.5 * across)
    drawn.suptitle(run.label)
    draw_grid(drawn, diagrams, across)
    draw_legend(drawn)
    return drawn


def confusion(run: Run) -> Figure:
    """Draw where the pixels of each class go, in percent of the class."""
    table = np.array(run.scores()["confusion"], np.float64)
    names = [*run.class_names, "abstained"]
    if not table[:, -1].any():
        table, names = table[:, :-1], names[:-1]
    total = table.sum(axis=1, keepdims=True)
    shares = np.divide(table, total, out=np.full(table.shape, np.nan), where=total > 0)
    classes = len(shares)
    side = 1.5 + 0.29 * classes
    drawn = figure(side, side + 0.29 * (len(names) - classes))
    axes = drawn.add_subplot()
    axes.pcolormesh(np.nan_to_num(shares), cmap=_SHADES, vmin=0, vmax=1, edgecolors="white", linewidth=0.5)
    for row, column in zip(*np.nonzero(np.nan_to_num(shares) >= _SHOWN), strict=True):
        value = shares[row, column]
        axes.text(
            column + 0.5,
            row + 0.5,
            f"{100 * value:.0f}",
            ha="center",
            va="center",
            fontsize=7,
            color="white" if value > 0.4 else "black",
        )
    axes.set_xticks(np.arange(len(names)) + 0.5, names, rotation=90, fontsize=8)
    axes.set_yticks(np.arange(classes) + 0.5, run.class_names, fontsize=8)
    axes.set(xlabel="predicted", ylabel="label", title=run.label, aspect="equal")
    axes.invert_yaxis()
    axes.grid(False)
    axes.tick_params(length=0)
    return drawn


def class_distribution(run: Run) -> Figure:
    """Draw each class's share of the labelled pixels, logarithmic as in :mod:`distill.report.class_chart`."""
    names = run.class_names
    shares = class_shares(run)
    lowest = 10.0 ** lowest_power(tuple(shares.tolist()))
    drawn = figure(0.9 + 0.25 * len(names))
    axes = drawn.add_subplot()
    colours = [tuple(value / 255 for value in colour) for colour in palette(names)]
    rows = np.arange(len(names))
    axes.barh(rows, shares, color=colours, edgecolor="#555555", linewidth=0.6, height=0.7)
    axes.set_xscale("log")
    axes.set_xlim(lowest, 1)
    for row, share in enumerate(shares.tolist()):
        axes.annotate(
            percent(share),
            (max(share, lowest), row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            annotation_clip=False,
        )
    axes.set_yticks(rows, names)
    axes.tick_params(axis="y", length=0)
    axes.minorticks_off()
    axes.grid(False, axis="y")
    axes.set_xlabel("share of the labelled pixels, logarithmic")
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    axes.invert_yaxis()
    return drawn


def class_shares(run: Run) -> NDArray[np.float64]:
    """Return the part of each class in the labelled pixels, float64 [C]."""
    pixels = np.array(run.scores()["confusion"], np.int64).sum(axis=1)
    return np.asarray(pixels / pixels.sum(), np.float64)
