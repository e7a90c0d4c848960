"""The adverse conditions of ACDC, in the order in which every table lists them."""

from __future__ import annotations

from typing import Final

CONDITIONS: Final = ("fog", "night", "rain", "snow")
"""Names of the folders below ``rgb_anon`` and ``gt``, and of the conditions in every result."""
