"""A bar chart of a data set's class distribution (the thesis' figure 2.12), on a logarithmic scale.

The rarest classes have a ten-thousandth of the pixels of the most frequent one; a linear scale would hide
them. A logarithmic one has no zero: it starts at the power of ten below the smallest share, and only
differences of the bars' lengths mean something, which is why each has its number.
"""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from distill.common.files import write_file
from distill.common.palette import palette
from distill.data.statistics import Statistics

WIDTH: Final = 1600
ROW: Final = 46
"""Height of a class's row in pixels."""
BAR: Final = 30
TOP, BOTTOM, RIGHT = 150, 90, 170
"""Margins in pixels: for the title, for the scale, for the number after a full bar."""
TEXT: Final = 24
GAP: Final = 16

INK, GREY, LINE, RIM = (32, 32, 32), (96, 96, 96), (214, 214, 214), (120, 120, 120)


def write_chart(path: Path, statistics: Statistics, title: str) -> None:
    """Draw the shares of the classes and write a PNG.

    :raises UserError: if the file cannot be written.
    """
    image = draw_chart(statistics, title)
    write_file(path, partial(image.save, format="PNG"))


def draw_chart(statistics: Statistics, title: str) -> Image.Image:
    """Draw one bar per class, in trainId order; at least one pixel must belong to a class."""
    names, shares = statistics.class_names, statistics.shares
    bottom = TOP + ROW * len(names)
    image = Image.new("RGB", (WIDTH, bottom + BOTTOM), "white")
    draw = ImageDraw.Draw(image)
    font, heading = ImageFont.load_default(TEXT), ImageFont.load_default(36)
    left = GAP * 3 + round(max(draw.textlength(name, font) for name in names))
    lowest, colours = lowest_power(shares), palette(names)

    def place(share: float) -> int:
        return left + round((WIDTH - RIGHT - left) * (math.log10(share) / -lowest + 1))

    draw.text((GAP * 2, 28), f"{title}: class distribution", INK, heading)
    draw.text((GAP * 2, 84), _subtitle(statistics), GREY, font)
    for power in range(lowest, 1):
        x = place(10.0**power)
        draw.line((x, TOP - 8, x, bottom + 8), LINE, 2)
        draw.text((x, bottom + 14), f"{100 * 10.0**power:g} %", GREY, font, anchor="ma")
    draw.text(
        ((left + WIDTH - RIGHT) // 2, bottom + 48),
        "share of the labelled pixels, logarithmic scale",
        GREY,
        font,
        anchor="ma",
    )
    for row, (name, share) in enumerate(zip(names, shares, strict=True)):
        middle = TOP + ROW * row + ROW // 2
        draw.text((left - GAP, middle), name, INK, font, anchor="rm")
        end = left
        if share:
            end = place(share)
            draw.rectangle((left, middle - BAR // 2, end, middle + BAR // 2), colours[row], RIM)
        text = percent(share), INK if share else GREY
        draw.text((end + 10, middle), *text, font, anchor="lm", stroke_width=3, stroke_fill="white")
    draw.line((left, TOP - 8, left, bottom + 8), GREY, 2)
    return image


def lowest_power(shares: tuple[float, ...]) -> int:
    """Return the power of ten that the scale starts at: below the smallest share, at least one decade."""
    return min(math.ceil(math.log10(min(share for share in shares if share))) - 1, -1)


def percent(share: float) -> str:
    """Format a share with three significant digits."""
    if not share:
        return "none"
    digits = max(0, 2 - math.floor(math.log10(100 * share)))
    return f"{100 * share:.{digits}f} %"


def _subtitle(statistics: Statistics) -> str:
    """Say how many images and pixels were counted."""
    text = f"{statistics.images} images, {statistics.labelled_pixels / 1e6:,.1f} million labelled pixels"
    return f"{text}; {100 * (statistics.ignored_share or 0):.1f} % of all are ignored"
