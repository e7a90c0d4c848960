"""Scores as text."""

from __future__ import annotations

from typing import Final

DASH: Final = "–"


def percent(value: float | None) -> str:
    """Format a share 0…1 in percent; a dash where it is undefined."""
    return DASH if value is None else f"{100 * value:.1f}"


def three_digits(value: float | None) -> str:
    """Format a score that is no share of pixels."""
    return DASH if value is None else f"{value:.3f}"
