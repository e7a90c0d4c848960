"""Values of command-line options: each function reads a text, or says in few words what is wrong with it."""

from __future__ import annotations

import math
import re
from argparse import ArgumentTypeError
from typing import Final

LARGEST_WHOLE: Final = 2**63 - 1
LARGEST_COUNT: Final = 10**9
MAX_WORKERS: Final = 256
"""Most processes that a command starts."""
SMALLEST_SIDE: Final = 8
LARGEST_SIDE: Final = 8192
"""Bounds of the sides of an image, pixels."""

_DIGITS: Final = 19
"""Digits of the longest whole number that is read."""


def number(text: str) -> float:
    """Read any finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ArgumentTypeError(f"{text!r} is not a number")
    return value


def positive(text: str) -> float:
    """Read a number above 0."""
    value = number(text)
    if value <= 0:
        raise ArgumentTypeError(f"must be above 0, not {text}")
    return value


def not_negative(text: str) -> float:
    """Read a number from 0 up."""
    value = number(text)
    if value < 0:
        raise ArgumentTypeError(f"must be at least 0, not {text}")
    return value


def share(text: str) -> float:
    """Read a number within 0…1."""
    value = number(text)
    if not 0 <= value <= 1:
        raise ArgumentTypeError(f"must be within 0…1, not {text}")
    return value


def confidence(text: str) -> float | str:
    """Read a confidence within 0…1; a text that is no number may name rules of a model card."""
    try:
        float(text)
    except ValueError:
        return text
    return share(text)


def percent(text: str) -> float:
    """Read a percentage of at least 1; a share within 0…1, given by mistake, is refused."""
    value = number(text)
    if not 1 <= value <= 100:
        raise ArgumentTypeError(f"must be in percent, 1…100, not {text}")
    return value


def whole(text: str) -> int:
    """Read a whole number from 0 to 2⁶³ − 1."""
    return _integer(text, 0, LARGEST_WHOLE)


def count(text: str) -> int:
    """Read a whole number from 1 to a billion."""
    return _integer(text, 1, LARGEST_COUNT)


def workers(text: str) -> int:
    """Read a number of processes, 1 to 256."""
    return _integer(text, 1, MAX_WORKERS)


def image_size(text: str) -> tuple[int, int]:
    """Read ``HEIGHTxWIDTH``, pixels; return height and width."""
    match = re.fullmatch(r"([1-9]\d{0,4})[x×]([1-9]\d{0,4})", text)
    if match is None:
        raise ArgumentTypeError(f"must be HEIGHTxWIDTH in pixels, such as 1080x1920, not {text:.40}")
    size = int(match[1]), int(match[2])
    if min(size) < SMALLEST_SIDE or max(size) > LARGEST_SIDE:
        raise ArgumentTypeError(f"each side must be {SMALLEST_SIDE} to {LARGEST_SIDE} pixels, not {text}")
    return size


def _integer(text: str, least: int, most: int) -> int:
    """Read a whole number within bounds; digits without end are refused before they are converted."""
    digits = text.removeprefix("+").lstrip("0") or "0"
    if not re.fullmatch(r"\+?\d+", text) or (len(digits) <= _DIGITS and int(digits) < least):
        raise ArgumentTypeError(f"must be a whole number, at least {least}, not {text:.40}")
    if len(digits) > _DIGITS or int(digits) > most:
        raise ArgumentTypeError(f"must be at most {most}, not {text:.40}")
    return int(digits)


def topic(text: str) -> str:
    """Read the full name of a ROS topic."""
    if not text.startswith("/") or text.endswith("/") or "//" in text:
        raise ArgumentTypeError(f"must be a full topic name such as /camera/image_raw, not {text}")
    return text
