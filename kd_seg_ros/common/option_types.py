"""Values of command-line options: each function reads a text, or says in few words what is wrong with it."""

from __future__ import annotations

import math
import re
from argparse import ArgumentTypeError


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


def percent(text: str) -> float:
    """Read a percentage of at least 1; a share within 0…1, given by mistake, is refused."""
    value = number(text)
    if not 1 <= value <= 100:
        raise ArgumentTypeError(f"must be in percent, 1…100, not {text}")
    return value


def whole(text: str) -> int:
    """Read a whole number from 0 up."""
    if not re.fullmatch(r"\+?\d+", text):
        raise ArgumentTypeError(f"must be a whole number, at least 0, not {text}")
    return int(text)


def count(text: str) -> int:
    """Read a whole number from 1 up."""
    if not re.fullmatch(r"\+?\d+", text) or int(text) == 0:
        raise ArgumentTypeError(f"must be a whole number, at least 1, not {text}")
    return int(text)


def image_size(text: str) -> tuple[int, int]:
    """Read ``HEIGHTxWIDTH``, pixels; return height and width."""
    match = re.fullmatch(r"([1-9]\d{0,4})[x×]([1-9]\d{0,4})", text)
    if match is None:
        raise ArgumentTypeError(f"must be HEIGHTxWIDTH in pixels, such as 1080x1920, not {text}")
    return int(match[1]), int(match[2])


def topic(text: str) -> str:
    """Read the full name of a ROS topic."""
    if not text.startswith("/") or text.endswith("/") or "//" in text:
        raise ArgumentTypeError(f"must be a full topic name such as /camera/image_raw, not {text}")
    return text
