"""How tables and reports write scores."""

from __future__ import annotations

from typing import Final

DASH: Final = "–"
"""What stands for a score that is undefined."""


def percent(value: float | None) -> str:
    """Write a share 0…1 in percent with one decimal: 0.1234 as "12.3"; None, for undefined, as a dash."""
    return DASH if value is None else f"{100 * value:.1f}"


def error_percent(value: float | None) -> str:
    """Write a calibration error 0…1 in percent with two decimals: 0.0123 as "1.23"; None as a dash."""
    return DASH if value is None else f"{100 * value:.2f}"


def three_digits(value: float | None) -> str:
    """Write a score with three decimals: 0.1234 as "0.123"; None, for undefined, as a dash."""
    return DASH if value is None else f"{value:.3f}"
