"""``kd_seg scenes``: a data set, a drive in a rosbag2, or a sheet to look at."""

from __future__ import annotations

import argparse
from pathlib import Path

from distill.common.files import check_destination
from distill.common.parallel import default_workers
from distill.scenes.weather.conditions import CLEAR
from kd_seg_ros.common.conditions import CONDITIONS
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.option_types import count, image_size, whole, workers

SMALLEST, LARGEST = 32, 4096
"""Pixels per side."""
MOST_IMAGES = 1_000_000
"""Largest number of images or frames that are made at once."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; at least one of ``--out``, ``--drive`` and ``--preview`` must be given."""
    add = parser.add_argument
    add("--out", type=Path, metavar="DIR", help="write labelled images into this folder, in ACDC's layout")
    add("--train", type=whole, default=400, metavar="N", help="number of training images, of all conditions")
    add("--val", type=whole, default=80, metavar="N", help="number of validation images, of all conditions")
    add("--drive", type=Path, metavar="BAG", help="write a drive into this rosbag2 folder")
    add("--frames", type=count, default=80, metavar="N", help="number of frames of the drive, 10 per second")
    add(
        "--compressed",
        action="store_true",
        help="write JPEG images to TOPIC/compressed (sensor_msgs/CompressedImage)",
    )
    add("--with-labels", action="store_true", help="also write the labels into the bag, to /camera/labels")
    add("--preview", type=Path, metavar="FILE", help=".png file to draw an example of each condition into")
    add(
        "--size",
        type=image_size,
        default=(288, 512),
        metavar="HxW",
        help="height and width of the images, pixels (default: 288x512)",
    )
    add("--seed", type=whole, default=0, metavar="N", help="the same seed gives the same pictures")
    add(
        "--conditions",
        nargs="+",
        choices=(*CONDITIONS, CLEAR),
        default=CONDITIONS,
        help=f"weathers, in this order along a drive; {CLEAR} for a drive and the preview only",
    )
    add("--workers", type=workers, default=default_workers(), metavar="N", help="number of processes")


def run(args: argparse.Namespace) -> int:
    """Make what was asked for; return the exit status."""
    from distill.scenes.bag import write_bag
    from distill.scenes.dataset import write_dataset, write_png
    from distill.scenes.drive import Drive
    from distill.scenes.preview import contact_sheet

    if not (args.out or args.drive or args.preview):
        raise UserError("nothing to make: give --out DIR, --drive BAG or --preview FILE")
    size, conditions = args.size, tuple(args.conditions)
    if not all(SMALLEST <= side <= LARGEST for side in size):
        raise UserError(f"--size: each side must be {SMALLEST} to {LARGEST} pixels, not {size[0]}x{size[1]}")
    for option in ("train", "val", "frames"):
        if getattr(args, option) > MOST_IMAGES:
            raise UserError(f"--{option} must be at most {MOST_IMAGES}, not {getattr(args, option)}")
    if args.out and CLEAR in conditions:
        raise UserError(
            f"--conditions: a data set has no {CLEAR} images; choose from {', '.join(CONDITIONS)}"
        )
    if args.preview:
        check_destination(args.preview)
    if args.out:
        made = write_dataset(args.out, args.train, args.val, size, args.seed, conditions, args.workers)
        print(f"{args.out}: {args.train} training and {args.val} validation images ({made} made now)")
    if args.drive:
        drive = Drive(args.seed, size, args.frames, conditions)
        write_bag(
            args.drive, drive, compressed=args.compressed, labels=args.with_labels, workers=args.workers
        )
        print(f"{args.drive}: {args.frames} frames")
    if args.preview:
        write_png(Path(args.preview), contact_sheet(args.seed, size, conditions)[..., ::-1])
        print(args.preview)
    return 0
