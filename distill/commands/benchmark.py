"""``kd_seg benchmark``: measure on this machine, and print a Markdown table."""

from __future__ import annotations

import argparse

from distill.benchmarks.suites import SECONDS, SUITES, run_suite
from kd_seg_ros.benchmark import command as vehicle
from kd_seg_ros.common.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options: those of the vehicle half's benchmarks, and one more."""
    vehicle.add_arguments(parser, {**SUITES, **vehicle.SUITES})
    parser.add_argument(
        "--networks",
        nargs="+",
        metavar="NAME",
        help="measure these networks only, for models (default: all of `kd_seg models`)",
    )


def run(args: argparse.Namespace) -> int:
    """Run one suite of either half; return its exit status."""
    if args.networks and args.suite != "models":
        raise UserError(f"--networks belongs to --suite models, not {args.suite}")
    if args.suite in vehicle.SUITES:
        return vehicle.run(args)
    vehicle.check_destination(args)
    vehicle.check_options(args)
    result = run_suite(args.suite, args.seconds or SECONDS, args.networks or (), args.provider)
    return vehicle.put_out(result, args)
