"""``kd_seg check-data``: decode a whole data set and name everything that is wrong with it."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from distill.common.parallel import default_workers, run_jobs
from distill.datasets.check import FAULT_KINDS, partner_faults, summary
from distill.datasets.findings import findings, listing_findings, look_at
from distill.datasets.options import add_data_options, open_chosen, title_of
from kd_seg_ros.common.command_line import add_json_option, print_json
from kd_seg_ros.common.option_types import workers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_data_options(parser)
    parser.add_argument(
        "--workers", type=workers, default=default_workers(), metavar="N", help="number of processes"
    )
    add_json_option(parser)
    parser.epilog = (
        "Exit status: 0 if nothing is wrong, whatever oddities are told; 1 if something is, "
        "2 if there is nothing to check."
    )


def run(args: argparse.Namespace) -> int:
    """Print a line per fault and finding, then how many faults there are; return 1 if something is wrong."""
    listing = open_chosen(args)
    looks = list(run_jobs(look_at, listing.frames, args.workers, "check"))
    faults = [fault for look in looks for fault in look.faults] + partner_faults(listing)
    title = title_of(args)
    found = findings(looks, listing.class_names, title, len(looks))
    found += listing_findings(listing.oddities, title)
    wrong = bool(faults) or any(finding.level == "error" for finding in found)
    document = summary(listing, faults)
    if args.json:
        print_json(document | {"findings": [asdict(finding) for finding in found]})
        return int(wrong)
    for fault in faults:
        print(fault.message)
    for finding in found:
        print(finding.message)
    print(f"{title}: {document['images']} images, {document['labelled']} with labels")
    for kind, number in document["counts"].items():
        if number:
            print(f"  {number} {FAULT_KINDS[kind]}")
    if faults:
        print(f"{len(faults)} faults")
    elif found:
        print(f"no faults, {len(found)} findings")
    else:
        print("nothing wrong")
    return int(wrong)
