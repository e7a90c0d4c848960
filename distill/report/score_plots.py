"""Plots of a run's scores: reliability diagram, confusion matrix, class distribution (figure 2.12)."""

from __future__ import annotations

from typing import Final

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from distill.class_chart import lowest_power, percent
from distill.palette import palette
from distill.report.figures import BLUE, ORANGE, figure
from distill.report.runs import Run

_GREY: Final = "#5b6774"
_SHOWN: Final = 0.005
"""Smaller shares have no number in a confusion matrix."""
_SHADES: Final = LinearSegmentedColormap.from_list("blues", ["#ffffff", "#56B4E9", BLUE, "#00284a"])


def reliability(run: Run) -> Figure:
    """Draw accuracy against confidence, the gap between them, and how many pixels there are of each."""
    scores = run.scores()
    bars = scores["reliability"]
    confidence, accuracy, share = (
        np.array([np.nan if v is None else v for v in bars[key]], np.float64)
        for key in ("confidence", "accuracy", "share")
    )
    bins = len(share)
    left, width = np.arange(bins) / bins, 1 / bins
    drawn = figure(4.4, 3.8)
    upper, lower = drawn.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    upper.bar(left, accuracy, width, align="edge", color=BLUE, edgecolor="white")
    # What is missing to the confidence, or above it.
    for here, colour, hatch in (
        (accuracy < confidence, ORANGE, "///"),
        (accuracy > confidence, "white", "..."),
    ):
        low = np.minimum(accuracy, confidence)[here]
        gap = np.abs(accuracy - confidence)[here]
        upper.bar(left[here], gap, width, low, align="edge", facecolor="none", edgecolor=colour, hatch=hatch)
    upper.plot([0, 1], [0, 1], color="black", linestyle="--", linewidth=1)
    upper.set(ylim=(0, 1), ylabel="correct pixels", title=f"{run.label}\nECE {scores['ece']:.3f} (exact)")
    lower.bar(left, share, width, align="edge", color=_GREY, edgecolor="white")
    lower.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="pixels")
    for axis in (upper.xaxis, upper.yaxis, lower.yaxis):
        axis.set_major_formatter(PercentFormatter(1))
    handles = [
        Patch(facecolor=BLUE, label="correct pixels"),
        Patch(facecolor="white", edgecolor=ORANGE, hatch="///", label="too sure by"),
        Patch(facecolor=BLUE, edgecolor="white", hatch="...", label="too unsure by"),
    ]
    drawn.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=8.5)
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
    """Draw each class's share of the labelled pixels, logarithmic as in :mod:`distill.class_chart`."""
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
