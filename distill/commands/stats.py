"""``kd_seg stats``: mean, standard deviation and class distribution of any data set."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from distill.common.files import write_json
from distill.common.parallel import default_workers
from distill.data.statistics import Statistics, measure
from distill.datasets.options import add_data_options, open_chosen, title_of
from distill.report.class_chart import write_chart
from kd_seg_ros.common.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_data_options(parser)
    parser.add_argument(
        "--chart", type=Path, metavar="FILE", help="draw the class distribution into this PNG"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here")
    parser.add_argument(
        "--workers", type=int, default=default_workers(), metavar="N", help="processes (%(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Read the whole data set, print the table and write what was asked for."""
    if args.chart and args.chart.suffix.lower() != ".png":
        raise UserError(f"--chart {args.chart}: the chart is a PNG, call it .png")
    listing = open_chosen(args)
    statistics = measure(listing.complete(), listing.class_names, args.workers)
    if args.chart and not statistics.labelled_pixels:
        raise UserError(f"--chart: {title_of(args)} has no labelled pixels to draw a distribution of")
    print_statistics(statistics)
    if args.json:
        write_json(args.json, statistics.document(title_of(args)))
    if args.chart:
        write_chart(args.chart, statistics, title_of(args))
        print(f"chart written to {args.chart}")
    return 0


def print_statistics(statistics: Statistics) -> None:
    """Print mean and std as a configuration takes them, then a row for each class."""
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
