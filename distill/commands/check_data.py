"""``kd_seg check-data``: decode a whole data set and name everything that is wrong with it."""

from __future__ import annotations

import argparse
from pathlib import Path

from distill.common.files import write_json
from distill.common.parallel import default_workers
from distill.datasets.check import FAULT_KINDS, check, summary
from distill.datasets.options import add_data_options, open_chosen, title_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_data_options(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the faults and counts here")
    parser.add_argument(
        "--workers", type=int, default=default_workers(), metavar="N", help="processes (%(default)s)"
    )
    parser.epilog = "Exit status: 0 if nothing is wrong, 1 if something is, 2 if there is nothing to check."


def run(args: argparse.Namespace) -> int:
    """Print one line per fault, then how many there are of each kind; return 1 if there are any."""
    listing = open_chosen(args)
    faults = check(listing, args.workers)
    for fault in faults:
        print(fault.message)
    document = summary(listing, faults)
    print(f"{title_of(args)}: {document['images']} images, {document['labelled']} with labels")
    for kind, count in document["counts"].items():
        if count:
            print(f"  {count} {FAULT_KINDS[kind]}")
    print(f"{len(faults)} faults" if faults else "nothing wrong")
    if args.json:
        write_json(args.json, document)
    return int(bool(faults))
