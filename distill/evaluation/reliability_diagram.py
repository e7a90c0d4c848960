"""Reliability diagrams before and after calibration, over all images and for each condition, as one PNG.

Each diagram shows the accuracy of the pixels in each confidence bin; the gap between that and their mean
confidence is hatched, in one direction where the network is too sure and in the other where it is not sure
enough. The bars of a calibrated network end on the diagonal. The share of pixels below tells how much each
bin counts in the expected calibration error, ECE (:mod:`distill.metrics.calibration`).

Colours are those of Okabe and Ito ("Color universal design", 2008); the hatches tell them apart in grey, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from distill.common.files import write_file
from distill.evaluation.metrics_json import FULL

ACCURACY, TOO_SURE, UNSURE = "#56B4E9", "#D55E00", "#009E73"
"""Colours of the bars (sky blue) and of the two hatches (vermilion and bluish green)."""
INK: Final = "#333333"
"""Colour of lines and text."""
PANEL: Final = (2.8, 3.2)
"""Width and height of one diagram in inches."""
MARGIN: Final = (0.9, 1.1)
"""Width and height in inches that the picture needs around the diagrams."""
DPI: Final = 150
"""Pixels per inch of the PNG."""

Summaries = Mapping[str, Mapping[str, Any]]
"""Scores by condition, of which ``ece`` and ``reliability`` are used, as in metrics.json."""


def write_diagrams(path: Path, before: Summaries, after: Summaries, title: str) -> None:
    """Write the diagrams before and after calibration as a PNG, and make its folder.

    :raises UserError: if the file cannot be written.
    """
    figure = draw_diagrams(before, after, title)
    write_file(path, partial(figure.savefig, dpi=DPI, format="png"))


def draw_diagrams(before: Summaries, after: Summaries, title: str) -> Figure:
    """Draw a column per condition, before above after; with a single condition, before and after in a row."""
    conditions = list(before) if len(before) > 2 else [FULL]
    rows, columns = (2, 1) if len(conditions) > 1 else (1, 2)
    width, height = len(conditions) * columns * PANEL[0], rows * PANEL[1]
    figure = Figure(figsize=(width + MARGIN[0], height + MARGIN[1]), layout="constrained")
    figure.suptitle(title, fontsize=12, color=INK)
    parts = figure.subfigures(rows, columns, hspace=0.03, squeeze=False)
    for part, summaries, name in zip(parts.flat, (before, after), ("before", "after"), strict=True):
        titled = {f"{condition}, {name}": summaries[condition] for condition in conditions}
        draw_grid(part, titled, len(conditions))
    draw_legend(figure)
    return figure


def draw_legend(figure: Figure) -> None:
    """Explain the colours below the diagrams."""
    figure.legend(
        handles=[
            Patch(facecolor=ACCURACY, edgecolor=INK, linewidth=0.5, label="accuracy"),
            Patch(facecolor="none", edgecolor=TOO_SURE, hatch="////", label="confidence above accuracy"),
            Patch(facecolor=ACCURACY, edgecolor=UNSURE, hatch="\\\\\\\\", label="confidence below accuracy"),
        ],
        loc="outside lower center",
        ncols=3,
        fontsize=9,
        frameon=False,
    )


def draw_grid(part: Figure | SubFigure, diagrams: Summaries, across: int) -> None:
    """Draw diagrams in rows.

    :param diagrams: scores by title; the ECE is added to the title.
    :param across: the number of diagrams in a row.
    """
    rows = -(-len(diagrams) // across)
    ratios = (4, 1) * rows
    axes = part.subplots(2 * rows, across, sharex=True, sharey="row", height_ratios=ratios, squeeze=False)
    for spare in axes.T.reshape(across, rows, 2).swapaxes(0, 1).reshape(-1, 2)[len(diagrams) :].flat:
        spare.set_visible(False)
    for number, (title, summary) in enumerate(diagrams.items()):
        row, column = divmod(number, across)
        top, bottom = axes[2 * row : 2 * row + 2, column]
        bars = summary["reliability"]
        _draw_accuracy(top, bars)
        _draw_share(bottom, bars)
        ece = summary["ece"]
        error = "no pixels" if ece is None else f"ECE {100 * ece:.2f} %"
        top.set_title(f"{title}: {error}", fontsize=10, color=INK)
        bottom.set_xlabel("confidence", fontsize=9)
        bottom.tick_params(labelbottom=number + across >= len(diagrams))
        if column == 0:
            top.set_ylabel("accuracy", fontsize=9)
            bottom.set_ylabel("pixels", fontsize=9)


def _draw_accuracy(axes: Axes, bars: Mapping[str, Any]) -> None:
    """Draw a bar of accuracy per bin, hatched from there to the mean confidence."""
    bins = len(bars["accuracy"])
    width = 1 / bins
    for i, (accuracy, confidence) in enumerate(zip(bars["accuracy"], bars["confidence"], strict=True)):
        if accuracy is None:
            continue
        axes.bar(i * width, accuracy, width, align="edge", color=ACCURACY, edgecolor=INK, linewidth=0.5)
        sure = confidence > accuracy
        axes.bar(
            i * width,
            confidence - accuracy,
            width,
            bottom=accuracy,
            align="edge",
            facecolor="none",
            edgecolor=TOO_SURE if sure else UNSURE,
            hatch="////" if sure else "\\\\\\\\",
            linewidth=0.8,
        )
    axes.plot((0, 1), (0, 1), color=INK, linestyle="--", linewidth=1)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    _tidy(axes)


def _draw_share(axes: Axes, bars: Mapping[str, Any]) -> None:
    """Draw the share of all pixels in each bin."""
    shares = [share or 0 for share in bars["share"]]
    width = 1 / len(shares)
    axes.bar([i * width for i in range(len(shares))], shares, width, align="edge", color=INK)
    axes.set(xlim=(0, 1), ylim=(0, 1), yticks=(0, 1))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    _tidy(axes)


def _tidy(axes: Axes) -> None:
    """Make the labels small and leave out the frame's upper and right line."""
    axes.tick_params(labelsize=8, colors=INK)
    axes.spines[["top", "right"]].set_visible(False)
