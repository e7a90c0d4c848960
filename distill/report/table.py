"""Tables as the page shows them: a value, a difference beneath it, a shade for better or worse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from distill.common.formats import DASH, percent, three_digits

SHADES: Final = (0.05, 1.0, 3.0)
"""Differences in points from which a cell is shaded lightly, clearly and strongly."""


@dataclass(frozen=True)
class Cell:
    """One value."""

    text: str
    beneath: str = ""
    """Its difference from another value."""
    shade: str = ""
    """``better1`` to ``better3``, ``worse1`` to ``worse3``, or none."""


@dataclass(frozen=True)
class Row:
    """One line."""

    title: str
    cells: Sequence[Cell]
    kind: str = ""
    """``first`` of a group, ``beside`` another row, ``total``."""
    beneath: str = ""
    colour: str = ""
    """Of the class that the row is of, as CSS."""


@dataclass(frozen=True)
class Table:
    """A table under a heading."""

    head: Sequence[str]
    """Of all columns, that of the titles first."""
    rows: Sequence[Row]
    groups: Sequence[tuple[str, int]] = ()
    """Headings above the columns behind the first, and how many columns each spans."""
    notes: Sequence[str] = field(default=())
    """Below the table."""


def signed(value: float, digits: int = 1) -> str:
    """Format a difference with its sign."""
    text = f"{value:+.{digits}f}"
    return "±" + text[1:] if float(text) == 0 else text.replace("-", "−")


def shade(points: float) -> str:
    """Return how a difference is shaded.

    :param points: percentage points, positive for better.
    """
    level = sum(round(abs(points), 6) >= limit for limit in SHADES)
    return f"{'better' if points > 0 else 'worse'}{level}" if level else ""


def compared(value: float | None, other: float | None) -> Cell:
    """Show a share in percent with its difference from another one; more is better."""
    if value is None or other is None:
        return Cell(percent(value))
    points = 100 * (value - other)
    return Cell(percent(value), signed(points), shade(points))


def compared_ece(value: float | None, other: float | None) -> Cell:
    """Show a calibration error with its difference from another one; less is better."""
    if value is None or other is None:
        return Cell(three_digits(value))
    return Cell(three_digits(value), signed(value - other, 3), shade(100 * (other - value)))


def against_thesis(ours: float | None, thesis: float | None) -> Cell:
    """Ours, 0…1, minus the thesis' number in percent."""
    if ours is None or thesis is None:
        return Cell(DASH)
    points = 100 * ours - thesis
    return Cell(signed(points), shade=shade(points))
