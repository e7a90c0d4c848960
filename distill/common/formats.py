"""How tables and reports write scores."""

from __future__ import annotations

from typing import Final

DASH: Final = "–"
"""What stands for a score that is undefined."""


def percent(value: float | None) -> str:
    """Write a share 0…1 in percent with one decimal: 0.1234 as "12.3"; None, for undefined, as a dash."""
    return DASH if value is None else f"{100 * value:.1f}"


def three_digits(value: float | None) -> str:
    """Write a score with three decimals: 0.1234 as "0.123"; None, for undefined, as a dash."""
    return DASH if value is None else f"{value:.3f}"
