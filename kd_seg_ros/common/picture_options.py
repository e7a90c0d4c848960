"""Options for pictures that people look at, overlays and videos: hatching and legend."""

from __future__ import annotations

import argparse
from typing import Final

ALL: Final = "all"
PRESENT: Final = "present"
NONE: Final = "none"
LEGENDS: Final = (NONE, PRESENT, ALL)
"""What a legend lists: nothing, the classes that the picture shows, or all of the model's."""


def add_picture_options(parser: argparse.ArgumentParser) -> None:
    """Declare ``--marks`` and ``--legend``: how overlays and videos show the classes."""
    parser.add_argument(
        "--marks",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="hatch, in overlay and video, classes whose colours colour-blind readers confuse",
    )
    parser.add_argument(
        "--legend",
        choices=LEGENDS,
        default=ALL,
        help="class names next to their colours, in overlay and video: all of the model's, only those that a "
        "picture shows, or none (default: all)",
    )
