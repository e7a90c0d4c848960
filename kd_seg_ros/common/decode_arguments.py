"""Options of commands that decode images, named like the node's parameters."""

from __future__ import annotations

import argparse
import re
from typing import Final

from kd_seg_ros.common.option_types import positive
from kd_seg_ros.common.picture import MAX_MEGAPIXELS, TURNS, DecodeOptions

_MOST_16_BIT: Final = 2**16 - 1


def add_decode_arguments(parser: argparse.ArgumentParser, rotate: bool) -> None:
    """Declare ``--white-level``, ``--max-image-megapixels`` and, if wanted, ``--rotate``."""
    if rotate:
        parser.add_argument(
            "--rotate",
            type=int,
            choices=TURNS,
            default=0,
            help="degrees by which images, and labels of the bag, are turned clockwise before they are "
            "segmented; maps and overlay are upright then",
        )
    parser.add_argument(
        "--white-level",
        type=_white_level,
        default=0,
        metavar="N",
        help="value of 16-bit images that becomes 255, such as 4095 of a camera of 12 bits (default: 16-bit "
        "images are refused)",
    )
    parser.add_argument(
        "--max-image-megapixels",
        type=positive,
        default=MAX_MEGAPIXELS,
        metavar="N",
        help="refuse larger images before memory is taken for them, in millions of pixels",
    )


def decode_options(args: argparse.Namespace) -> DecodeOptions:
    """Return the options that were given."""
    return DecodeOptions(args.max_image_megapixels, args.white_level, getattr(args, "rotate", 0))


def _white_level(text: str) -> int:
    """Read a value that 16 bits can hold, from 1 up."""
    if not re.fullmatch(r"\d{1,5}", text) or not 1 <= int(text) <= _MOST_16_BIT:
        raise argparse.ArgumentTypeError(f"must be a whole number within 1…{_MOST_16_BIT}, not {text}")
    return int(text)
