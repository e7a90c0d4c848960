"""Panels as files: rows of pictures with their legends on one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from distill.report.figures import figure
from distill.report.panels import Mark, Panel

_WIDTH: Final = 11.0
_LINE: Final = 0.2
"""Inches of a line of the legend."""
_ACROSS: Final = 6
"""Entries of the legend in a line."""


def draw(panels: Sequence[Panel]) -> Figure:
    """Draw panels of equally many pictures below another."""
    columns = len(panels[0].pictures)
    aspect = max(p.pictures[0].pixels.shape[0] / p.pictures[0].pixels.shape[1] for p in panels)
    # Shares belong to one panel, the legend to all.
    shown = [replace(mark, share="") for panel in panels for mark in (*panel.classes, *panel.marks)]
    marks = list(dict.fromkeys(shown))
    legend = _LINE * (-(-len(marks) // _ACROSS) + 1)
    height = len(panels) * (_WIDTH / columns * aspect + 0.55) + legend
    drawn = figure(height, _WIDTH)
    grid = drawn.subplots(len(panels), columns, squeeze=False)
    for panel, line in zip(panels, grid, strict=True):
        for picture, axes in zip(panel.pictures, line, strict=True):
            axes.imshow(picture.pixels)
            axes.set_xlabel(picture.caption, fontsize=8)
            axes.set(xticks=[], yticks=[], title=" ")
            axes.spines[:].set_visible(False)
        text = line[0].text(
            0, 1.02, f"{panel.title}   {panel.why}", transform=line[0].transAxes, fontsize=8, va="bottom"
        )
        text.set_in_layout(False)  # it goes on above the other pictures
    handles = [_patch(mark) for mark in marks]
    drawn.legend(handles=handles, loc="outside lower center", ncols=_ACROSS, fontsize=8)
    return drawn


def _patch(mark: Mark) -> Patch:
    red, green, blue = mark.colour
    colour = (red / 255, green / 255, blue / 255)
    if mark.striped:
        return Patch(facecolor="white", edgecolor=colour, hatch="////", label=mark.text)
    return Patch(facecolor=colour, edgecolor="#555555", linewidth=0.5, label=mark.text)
