"""Entries of model cards that say how far to trust a file: its domain distance and its expected accuracy."""

from __future__ import annotations

from typing import Any

DOMAIN: dict[str, Any] = {
    "quantiles": {"50": 1.0, "95": 1.2, "99": 1.5, "99.9": 2.0},
    "images": 9,
    "method": "",
    "source": "",
}
CORRECTION: dict[str, Any] = {
    "distances": [1.0, 4.0],
    "factors": [1.0, 0.5],
    "largest_distance": 8.0,
    "range": [0.6, 0.95],
    "error": 0.02,
    "error_raw": 0.1,
    "images": 27,
    "source": "",
}
"""Half of the raw estimate at distance 4 and beyond, three quarters at 2, and none beyond 8."""
