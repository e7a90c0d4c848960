"""``kd_seg check-data``: decode a whole data set and name everything that is wrong with it."""

from __future__ import annotations

import argparse

from distill.common.parallel import default_workers
from distill.datasets.check import FAULT_KINDS, check, summary
from distill.datasets.options import add_data_options, open_chosen, title_of
from kd_seg_ros.common.command_line import add_json_option, print_json
from kd_seg_ros.common.option_types import count


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_data_options(parser)
    parser.add_argument(
        "--workers", type=count, default=default_workers(), metavar="N", help="number of processes"
    )
    add_json_option(parser)
    parser.epilog = "Exit status: 0 if nothing is wrong, 1 if something is, 2 if there is nothing to check."


def run(args: argparse.Namespace) -> int:
    """Print one line per fault, then how many there are of each kind; return 1 if there are any."""
    listing = open_chosen(args)
    faults = check(listing, args.workers)
    document = summary(listing, faults)
    if args.json:
        print_json(document)
        return int(bool(faults))
    for fault in faults:
        print(fault.message)
    print(f"{title_of(args)}: {document['images']} images, {document['labelled']} with labels")
    for kind, number in document["counts"].items():
        if number:
            print(f"  {number} {FAULT_KINDS[kind]}")
    print(f"{len(faults)} faults" if faults else "nothing wrong")
    return int(bool(faults))
