"""Colours for any list of classes: those of Cityscapes for names it knows, distinct ones for all others."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

from distill.common.class_mapping import SYNONYMS
from kd_seg_ros.common.classes import CLASS_NAMES, PALETTE

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
