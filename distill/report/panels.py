"""Rows of pictures with their legends: what the page shows of single images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from distill.common.formats import percent
from distill.common.palette import Colour, palette
from distill.common.pictures import confidence_colours
from distill.data.border_weights import BANDS, border_weights
from distill.datasets.frame import Sample
from distill.report.choice import Choice
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

_LEVELS: Final = (20, 40, 60, 80, 100)
"""Percent of confidence in the legend of mistakes."""


@dataclass(frozen=True)
class Mark:
    """An entry of a legend."""

    colour: Colour
    text: str
    share: str = ""
    """Of the panel's pixels."""
    striped: bool = False

    @property
    def css(self) -> str:
        """Its colour for the page."""
        return f"rgb{self.colour}"


@dataclass(frozen=True)
class Panel:
    """An image, its pictures, and what their colours mean."""

    title: str
    why: str
    pictures: Sequence[Picture]
    classes: Sequence[Mark]
    """Of all classes that a mask of the panel shows."""
    marks: Sequence[Mark]


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
    legend = [Mark(colours[number], f"{number} {names[number]}") for number in held if number < len(names)]
    return [*legend, *([Mark((0, 0, 0), "without label")] if IGNORE_ID in held else [])]
