"""Colours for any list of classes: those of Cityscapes for names it knows, distinct ones for all others."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np

from distill.common.class_mapping import SYNONYMS
from distill.common.pictures import png_uri
from kd_seg_ros.common.classes import CLASS_NAMES, PALETTE
from kd_seg_ros.inference.colour_vision import ClassMark, class_marks
from kd_seg_ros.inference.overlay import colorize

Colour = tuple[int, int, int]
"""Red, green and blue, 0…255."""


def palette(class_names: Sequence[str]) -> tuple[Colour, ...]:
    """Return a colour (RGB, 0…255) for each class, in order; no two are the same."""
    colours: list[Colour] = []
    for number, name in enumerate(class_names):
        known = known_colour(name)
        colours.append(other_colour(number) if known is None or known in colours else known)
    return tuple(colours)


def known_colour(name: str) -> Colour | None:
    """Return Cityscapes' colour for the name of a class or a synonym of it; None if it has none."""
    for known, rgb in zip(CLASS_NAMES, PALETTE, strict=True):
        if name.lower() in (known, *SYNONYMS[known]):
            return rgb
    return None


def other_colour(number: int) -> Colour:
    """Return the colour for a class that Cityscapes does not have, by its trainId."""
    # Hues a golden section of the circle apart stay apart however many there are.
    red, green, blue = colorsys.hsv_to_rgb(number * 0.618034 % 1, 0.55, 0.85)
    return round(255 * red), round(255 * green), round(255 * blue)


def css_backgrounds(colours: Sequence[Colour]) -> list[str]:
    """Return the look of each class for a legend, as a value of CSS's ``background``."""
    marks = class_marks(tuple(colours))
    return [css_background(colour, mark) for colour, mark in zip(colours, marks, strict=True)]


def css_background(colour: Colour, mark: ClassMark) -> str:
    """Return a colour as a value of CSS's ``background``: a hatched one as a picture."""
    if not mark.pattern:
        return f"rgb{colour}"
    return f"url({png_uri(colorize(np.zeros((24, 24), np.uint8), [colour], [mark]))})"
