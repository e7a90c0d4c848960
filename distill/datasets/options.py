"""The options by which a command chooses a data set."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from distill.datasets.acdc import ACDC_CONDITIONS
from distill.datasets.listing import SPLITS, Listing
from distill.datasets.registry import DATA_SETS, open_data
from kd_seg_ros.common.option_types import count


def add_data_options(
    parser: argparse.ArgumentParser, default: str | None = None, split: str = "train"
) -> None:
    """Declare the options by which a command chooses a data set.

    :param default: what the command does without ``--dataset``, in words; None: the option is required.
    :param split: the split that is taken without ``--split``.
    """
    with_splits = [name for name, data_set in DATA_SETS.items() if data_set.splits]
    names = f"{', '.join(with_splits[:-1])} or {with_splits[-1]}"
    parser.add_argument(
        "--dataset",
        choices=DATA_SETS,
        required=default is None,
        help="kind of data set" + (f" (default: {default})" if default else ""),
    )
    parser.add_argument("--root", type=Path, metavar="DIR", help=f"folder that holds {names}")
    parser.add_argument("--split", choices=SPLITS, help=f"split of {names} (default: {split})")
    parser.add_argument(
        "--conditions",
        nargs="+",
        choices=ACDC_CONDITIONS,
        help="only these weathers of acdc; normal: its clear-weather references (default: the adverse ones)",
    )
    parser.add_argument(
        "--skip-unlabelled", action="store_true", help="leave out images whose labels are missing, and say so"
    )
    parser.add_argument("--limit", type=count, metavar="N", help="take the first N images only")
    parser.add_argument(
        "--images", type=Path, metavar="DIR", help="data set folder: its images, subfolders included"
    )
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="DIR",
        help="data set folder: its labels, in files named like the images; left out: images alone",
    )
    parser.add_argument(
        "--classes",
        type=Path,
        metavar="FILE",
        help="data set folder: what its labels mean, in YAML: 'values: {0: road, 1: null}' or "
        "'colours: {128 64 128: road}', and 'classes: [...]' unless they are the 19 of Cityscapes",
    )
    parser.add_argument(
        "--topic",
        metavar="TOPIC",
        help="data set folder: --images is a rosbag2, and these are its images on this topic",
    )


def given_options(args: argparse.Namespace) -> dict[str, Any]:
    """Return what a command line says about its data set beyond name, root and split, by option."""
    given = {}
    for data_set in DATA_SETS.values():
        for option in data_set.options:
            value = getattr(args, option)
            if value is not None:
                given[option] = value
    return given


def open_chosen(args: argparse.Namespace) -> Listing:
    """List the data set that the options of :func:`add_data_options` name; raises UserError."""
    listing = open_data(args.dataset, root=args.root, split=args.split, **given_options(args))
    return replace(listing, frames=listing.frames[: args.limit])


def title_of(args: argparse.Namespace) -> str:
    """Return the name of the chosen data set for a person: "ACDC val", or the end of a folder's path."""
    data_set = DATA_SETS[args.dataset]
    if not data_set.splits:
        return "/".join(args.images.resolve().parts[-3:])
    return f"{data_set.title} {args.split or 'train'}"
