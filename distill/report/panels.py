"""Rows of pictures of single images with their legends, for the page and as sheets in files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from distill.common.formats import percent
from distill.common.palette import Colour, css_background, palette
from distill.common.pictures import confidence_colours
from distill.data.border_weights import BANDS, border_weights
from distill.datasets.frame import Sample
from distill.report.figures import figure
from distill.report.pictures import (
    BOTH_WRONG,
    DARK_RGB,
    GAINED,
    GAINED_RGB,
    LOST,
    LOST_RGB,
    UNLABELLED,
    Picture,
    class_picture,
    difference_picture,
    differences,
    mistakes_picture,
    shrink,
    weight_colour,
    weights_picture,
)
from distill.report.predictions import Prediction
from distill.report.runs import Run
from kd_seg_ros.common.classes import IGNORE_ID
from kd_seg_ros.inference.colour_vision import NOT_HATCHED, ClassMark, class_marks

_LEVELS: Final = (20, 40, 60, 80, 100)
"""Confidences in percent that the legend of mistakes explains."""
_HATCHES: Final = ("", "////", "\\\\\\\\", "----", "||||", "xxxx", "++++", "oo", "||")
"""Matplotlib's names of the patterns, by their number."""
_SHEET_WIDTH: Final = 11.0
_LEGEND_LINE: Final = 0.2
"""Height of a line of the legend in inches."""
_LEGEND_ACROSS: Final = 6
"""Number of entries in a line of the legend."""


@dataclass(frozen=True)
class Choice:
    """The name of an image, and why it is shown."""

    name: str
    why: str


@dataclass(frozen=True)
class Mark:
    """An entry of a legend."""

    colour: Colour
    text: str
    share: str = ""
    """Share of the panel's pixels in percent, as text."""
    striped: bool = False
    hatching: ClassMark = NOT_HATCHED
    """How the colour is hatched in the pictures."""

    @property
    def css(self) -> str:
        """The colour and its hatching as a value of CSS's ``background``."""
        return css_background(self.colour, self.hatching)


@dataclass(frozen=True)
class Panel:
    """The pictures made from one image, and what their colours mean."""

    title: str
    why: str
    pictures: Sequence[Picture]
    classes: Sequence[Mark]
    """The legend of the classes that the panel's masks show."""
    marks: Sequence[Mark]
    """The legend of all other colours."""


def comparison(
    choice: Choice, sample: Sample, reference: tuple[Run, Prediction], run: tuple[Run, Prediction]
) -> Panel:
    """Show image, labels, the masks of baseline and distilled, and where they differ."""
    labels = _labels(sample)
    first, second = reference[1].mask, run[1].mask
    codes = differences(labels, first, second)
    names = run[0].class_names
    colours = palette(names)
    pictures = [
        Picture("image", shrink(sample.image), photo=True),
        Picture("labels", class_picture(labels, colours)),
        Picture(reference[0].label, class_picture(first, colours)),
        Picture(run[0].label, class_picture(second, colours)),
        Picture("where they differ", difference_picture(sample.image, codes), photo=True),
    ]
    share = np.bincount(codes.ravel(), minlength=UNLABELLED + 1) / max(int((codes != UNLABELLED).sum()), 1)
    marks = [
        Mark(GAINED_RGB, f"only {run[0].label} is right", percent(share[GAINED])),
        Mark(LOST_RGB, f"only {reference[0].label} is right", percent(share[LOST])),
        Mark(DARK_RGB, "both are wrong", percent(share[BOTH_WRONG]), striped=True),
        Mark((255, 255, 255), "without label"),
    ]
    return Panel(choice.name, choice.why, pictures, _shown((labels, first, second), names), marks)


def single(choice: Choice, sample: Sample, run: Run, prediction: Prediction) -> Panel:
    """Show image, labels, mask, and the wrong pixels by their confidence."""
    labels, mask = _labels(sample), prediction.mask
    colours = palette(run.class_names)
    wrong = mistakes_picture(sample.image, labels, mask, prediction.confidence)
    pictures = [
        Picture("image", shrink(sample.image), photo=True),
        Picture("labels", class_picture(labels, colours)),
        Picture(run.label, class_picture(mask, colours)),
        Picture("wrong pixels by confidence", wrong, photo=True),
    ]
    levels = confidence_colours(np.array([[round(2.55 * level) for level in _LEVELS]], np.uint8))[0].tolist()
    marks = [
        Mark((red, green, blue), f"wrong, confidence {level} %")
        for level, (red, green, blue) in zip(_LEVELS, levels, strict=True)
    ]
    return Panel(choice.name, choice.why, pictures, _shown((labels, mask), run.class_names), marks)


def unpredicted(choice: Choice, sample: Sample, names: Sequence[str]) -> Panel:
    """Show image and labels alone, where no model is left to predict with.

    :param names: of the classes.
    """
    labels = _labels(sample)
    pictures = [
        Picture("image", shrink(sample.image), photo=True),
        Picture("labels", class_picture(labels, palette(names))),
    ]
    return Panel(choice.name, choice.why, pictures, _shown((labels,), names), [])


def borders(name: str, sample: Sample, class_names: Sequence[str]) -> Panel:
    """Show image, labels, and how much each pixel counts in the border-aware losses (figure 3.1)."""
    labels = _labels(sample)
    pictures = [
        Picture("image", shrink(sample.image), photo=True),
        Picture("labels", class_picture(labels, palette(class_names))),
        Picture("border weights α", weights_picture(border_weights(labels))),
    ]
    marks = [
        Mark(weight_colour(weight), f"α = {weight:g}: less than {limit} pixels away")
        for limit, weight in BANDS[::-1]
    ]
    marks += [Mark(weight_colour(1), "α = 1: farther"), Mark(weight_colour(0), "α = 0: without label")]
    return Panel(name, "", pictures, _shown((labels,), class_names), marks)


def _labels(sample: Sample) -> NDArray[np.uint8]:
    assert sample.labels is not None
    return sample.labels


def _shown(masks: Sequence[NDArray[np.uint8]], names: Sequence[str]) -> list[Mark]:
    """Return the legend of the classes that the masks hold, with their numbers."""
    colours = palette(names)
    held = np.unique(np.concatenate([np.unique(mask) for mask in masks])).tolist()
    marks = class_marks(colours)
    legend = [
        Mark(colours[number], f"{number} {names[number]}", hatching=marks[number])
        for number in held
        if number < len(names)
    ]
    return [*legend, *([Mark((0, 0, 0), "without label")] if IGNORE_ID in held else [])]


def draw_sheet(panels: Sequence[Panel]) -> Figure:
    """Draw panels of equally many pictures below each other, with one legend for all."""
    columns = len(panels[0].pictures)
    aspect = max(p.pictures[0].pixels.shape[0] / p.pictures[0].pixels.shape[1] for p in panels)
    # Shares belong to one panel, the legend to all.
    shown: dict[Mark, None] = {}
    for panel in panels:
        shown |= dict.fromkeys(replace(mark, share="") for mark in (*panel.classes, *panel.marks))
    marks = list(shown)
    legend = _LEGEND_LINE * (-(-len(marks) // _LEGEND_ACROSS) + 1)
    height = len(panels) * (_SHEET_WIDTH / columns * aspect + 0.55) + legend
    drawn = figure(height, _SHEET_WIDTH)
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
        text.set_in_layout(False)  # it continues above the other pictures
    handles = [_patch(mark) for mark in marks]
    drawn.legend(handles=handles, loc="outside lower center", ncols=_LEGEND_ACROSS, fontsize=8)
    return drawn


def _patch(mark: Mark) -> Patch:
    red, green, blue = mark.colour
    colour = (red / 255, green / 255, blue / 255)
    if mark.striped:
        return Patch(facecolor="white", edgecolor=colour, hatch="////", label=mark.text)
    if mark.hatching.pattern:
        stroke = "white" if mark.hatching.stroke else "black"
        pattern = _HATCHES[mark.hatching.pattern]
        return Patch(facecolor=colour, edgecolor=stroke, hatch=pattern, linewidth=0.5, label=mark.text)
    return Patch(facecolor=colour, edgecolor="#555555", linewidth=0.5, label=mark.text)
