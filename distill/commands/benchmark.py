"""``kd_seg benchmark``: measure on this machine, and print a Markdown table."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

from distill.benchmarks.suites import SECONDS, SUITES, run_suite
from kd_seg_ros.benchmark import command as vehicle
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.card import ModelCard


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options: those of the vehicle half's benchmarks, and one more."""
    vehicle.add_arguments(parser, {**SUITES, **vehicle.SUITES})
    parser.add_argument(
        "--networks",
        nargs="+",
        metavar="NAME",
        help="measure these networks only, for models (default: all) and batches (default: three)",
    )


def run(args: argparse.Namespace) -> int:
    """Run one suite of either half; return its exit status."""
    if args.networks and args.suite not in ("models", "batches"):
        raise UserError(f"--networks belongs to --suite models or batches, not {args.suite}")
    if args.suite in vehicle.SUITES:
        return vehicle.run(args, _exported_network)
    vehicle.check_destination(args)
    vehicle.check_options(args)
    result = run_suite(args.suite, args.seconds or SECONDS, args.networks or (), args.provider)
    return vehicle.put_out(result, args)


def _exported_network(card: ModelCard) -> Mapping[str, Callable[[], object]]:
    """Run the network of a model file in PyTorch, where that is installed; raises UserError."""
    try:
        from distill.benchmarks.torch_network import exported_network
    except ImportError as error:
        raise UserError(f"PyTorch is not measured: {error.name} is not installed") from error
    return exported_network(card)
