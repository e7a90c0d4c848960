"""``kd_seg scenes``: a data set, a drive in a rosbag2, or a sheet to look at."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from distill.common.parallel import default_workers
from distill.scenes.bag import write_bag
from distill.scenes.dataset import write_dataset, write_png
from distill.scenes.drive import Drive
from distill.scenes.preview import contact_sheet
from distill.scenes.weather.conditions import CLEAR
from kd_seg_ros.common.conditions import CONDITIONS
from kd_seg_ros.common.errors import UserError

SMALLEST, LARGEST = 32, 4096
"""Pixels per side."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; at least one of ``--out``, ``--bag`` and ``--preview`` must be given."""
    parser.add_argument("--out", metavar="DIR", help="write labelled images here, in ACDC's layout")
    parser.add_argument(
        "--train",
        type=int,
        default=400,
        metavar="N",
        help="training images, over all conditions (%(default)s)",
    )
    parser.add_argument(
        "--val",
        type=int,
        default=80,
        metavar="N",
        help="validation images, over all conditions (%(default)s)",
    )
    parser.add_argument("--bag", metavar="DIR", help="write a drive here, as a rosbag2")
    parser.add_argument(
        "--frames", type=int, default=80, metavar="N", help="frames of the drive, 10 a second (%(default)s)"
    )
    parser.add_argument(
        "--compressed", action="store_true", help="JPEG images in the bag (sensor_msgs/CompressedImage)"
    )
    parser.add_argument("--labels", action="store_true", help="put the labels into the bag as well")
    parser.add_argument("--preview", metavar="FILE", help="write a PNG with an example of each condition")
    parser.add_argument("--size", default="288x512", metavar="HxW", help="pixels of the images (%(default)s)")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="S", help="the same seed gives the same pictures (%(default)s)"
    )
    parser.add_argument(
        "--conditions",
        default=",".join(CONDITIONS),
        metavar="LIST",
        help=f"weathers, in this order along a drive; there and in the preview also {CLEAR} (%(default)s)",
    )
    parser.add_argument(
        "--workers", type=int, default=default_workers(), metavar="N", help="processes (%(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Make what was asked for; return the exit status."""
    if not (args.out or args.bag or args.preview):
        raise UserError("nothing to make: give --out DIR, --bag DIR or --preview FILE")
    size = _size(args.size)
    conditions = _conditions(args.conditions)
    for option, lowest in (("train", 0), ("val", 0), ("frames", 1), ("workers", 1), ("seed", 0)):
        if getattr(args, option) < lowest:
            raise UserError(f"--{option} must be at least {lowest}, not {getattr(args, option)}")
    if args.out and CLEAR in conditions:
        raise UserError(
            f"--conditions: a data set has no {CLEAR} images; choose from {', '.join(CONDITIONS)}"
        )
    if args.out:
        made = write_dataset(args.out, args.train, args.val, size, args.seed, conditions, args.workers)
        print(f"{args.out}: {args.train} training and {args.val} validation images ({made} made now)")
    if args.bag:
        drive = Drive(args.seed, size, args.frames, conditions)
        write_bag(args.bag, drive, compressed=args.compressed, labels=args.labels, workers=args.workers)
        print(f"{args.bag}: {args.frames} frames")
    if args.preview:
        write_png(Path(args.preview), contact_sheet(args.seed, size, conditions)[..., ::-1])
        print(args.preview)
    return 0


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if match is None:
        raise UserError(f"--size must be HEIGHTxWIDTH such as 288x512, not {text!r}")
    height, width = int(match[1]), int(match[2])
    if not all(SMALLEST <= side <= LARGEST for side in (height, width)):
        raise UserError(f"--size: each side must be {SMALLEST} to {LARGEST} pixels, not {text}")
    return height, width


def _conditions(text: str) -> tuple[str, ...]:
    chosen = tuple(text.split(","))
    if unknown := [name for name in chosen if name not in (CLEAR, *CONDITIONS)]:
        raise UserError(
            f"--conditions: no weather {unknown[0]!r}; choose from {', '.join((*CONDITIONS, CLEAR))}"
        )
    return chosen
