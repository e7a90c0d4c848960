"""``kd_seg stats``: mean, standard deviation and class distribution of any data set."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from distill.common.files import check_destination
from distill.common.parallel import default_workers
from distill.data.statistics import Statistics, measure
from distill.datasets.options import add_data_options, open_chosen, title_of
from kd_seg_ros.common.command_line import add_json_option, print_json
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.option_types import workers

LOGGER = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_data_options(parser)
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help=".png file to draw the class distribution into"
    )
    parser.add_argument(
        "--workers", type=workers, default=default_workers(), metavar="N", help="number of processes"
    )
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Read the whole data set, print the table and write what was asked for."""
    from distill.report.class_chart import write_chart

    if args.plot and args.plot.suffix.lower() != ".png":
        raise UserError(f"--plot {args.plot}: must end in .png")
    if args.plot:
        check_destination(args.plot)
    listing = open_chosen(args)
    frames = listing.complete(args.skip_unlabelled)
    listing.log_left_out(frames)
    statistics = measure(frames, listing.class_names, args.workers)
    if args.plot and not statistics.labelled_pixels:
        raise UserError(f"--plot: {title_of(args)} has no labelled pixels to draw a distribution of")
    if args.json:
        print_json(statistics.document(title_of(args)))
    else:
        print_statistics(statistics)
    if args.plot:
        write_chart(args.plot, statistics, title_of(args))
        LOGGER.info("class distribution drawn into %s", args.plot)
    return 0


def print_statistics(statistics: Statistics) -> None:
    """Print mean and std as a configuration takes them, then a row for each class."""
    from rich.console import Console
    from rich.table import Table

    print(f"{statistics.images} images, {statistics.pixels} pixels")
    for name, values in (("mean", statistics.mean), ("std", statistics.std)):
        print(f"{name}: [{', '.join(f'{value:.5f}' for value in values)}]")
    if statistics.ignored_share is None:
        print("no labels")
        return
    table = Table("class", "pixels", "share of labelled [%]")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, pixels, share in zip(
        statistics.class_names, statistics.class_pixels, statistics.shares, strict=True
    ):
        table.add_row(name, str(pixels), f"{100 * share:.4f}" if pixels else "–")
    table.add_section()
    table.add_row("ignored", str(statistics.ignored_pixels), f"({100 * statistics.ignored_share:.4f} of all)")
    Console().print(table)
