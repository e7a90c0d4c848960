"""The common style of all plots, and their files: PNG and PDF in a folder, SVG for the page.

Colours are those of Okabe and Ito ("Color universal design", 2008), which people with any colour vision tell
apart; no plot relies on them alone.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import matplotlib
from matplotlib.figure import Figure

from distill.common.files import write_file
from distill.report.runs import Run

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
_COLOURS: Final = ("#000000", BLUE, VERMILION, GREEN, "#CC79A7", ORANGE, "#56B4E9")
_MARKERS: Final = "osD^vPXh<>"
_LINES: Final = ("-", "--", "-.", ":")

WIDTH: Final = 5.2
"""Width of a plot in inches, such that its letters are still readable on a phone."""
_STYLE: Final[Any] = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dde2e7",
    "legend.frameon": False,
    "lines.markersize": 8,
    "lines.markeredgewidth": 0.6,
    "hatch.linewidth": 0.8,
    "svg.hashsalt": "report",
}


@dataclass(frozen=True)
class Plot:
    """A plot in the page."""

    uri: str
    """The SVG as a ``data:`` address."""
    text: str
    """What the plot shows, for those who cannot see it."""
    file: str
    """Name of the plot's files, without extension."""


@dataclass(frozen=True)
class Style:
    """How a run is drawn, the same in all plots."""

    colour: str
    marker: str
    line: str


def styles(runs: Sequence[Run]) -> dict[str, Style]:
    """Give every run a different combination of colour, marker and line, by label."""
    return {run.label: style(number) for number, run in enumerate(runs)}


def style(number: int) -> Style:
    """Return the style of the curve of a number, 0, 1, …"""
    return Style(
        _COLOURS[number % len(_COLOURS)], _MARKERS[number % len(_MARKERS)], _LINES[number % len(_LINES)]
    )


def look() -> AbstractContextManager[None]:
    """Return a context in which plots have the common style."""
    return matplotlib.rc_context(_STYLE)


def figure(height: float, width: float = WIDTH) -> Figure:
    """Return an empty plot; height and width are in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def save(drawn: Figure, folder: Path, name: str, text: str) -> Plot:
    """Write a plot's files and return it for the page; raises UserError if they cannot be written."""
    settle(drawn)
    vector = io.StringIO()
    drawn.savefig(vector, format="svg", metadata={"Date": None})
    content = base64.b64encode(vector.getvalue().encode()).decode()
    file = write_files(drawn, folder, name)
    return Plot(f"data:image/svg+xml;base64,{content}", text, file)


def write_files(drawn: Figure, folder: Path, name: str) -> str:
    """Write a plot as PNG and PDF into a folder; return their name without extension.

    :raises UserError: if they cannot be written.
    """
    settle(drawn)
    path = folder / slug(name)
    png = partial(drawn.savefig, format="png", dpi=200)
    pdf = partial(drawn.savefig, format="pdf", metadata={"CreationDate": None})
    write_file(folder / f"{path.name}.png", png)
    write_file(folder / f"{path.name}.pdf", pdf)
    return path.name


def settle(drawn: Figure) -> None:
    """Lay a plot out once, instead of once for each of its files."""
    if drawn.get_layout_engine() is not None:
        drawn.draw_without_rendering()
        drawn.set_layout_engine(None)


def slug(text: str) -> str:
    """Make a file name of a text."""
    return re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_").lower()
