"""``kd_seg benchmark``: measure on this machine and print a Markdown table; suites of both halves."""

from __future__ import annotations

import argparse
from typing import Final

from kd_seg_ros.benchmark import command as vehicle
from kd_seg_ros.benchmark.marks import marked
from kd_seg_ros.benchmark.result import Result
from kd_seg_ros.common.errors import UserError

SUITES: Final = {
    "models": "size and speed of all networks",
    "folding": "what folding the batch norms into the convolutions would save",
    "training": "time and memory of a training step",
    "metrics": "time of the metrics per image",
    "postprocess": "time from logits to mask and confidence",
}
"""The suites of the offline half, with what they measure."""
SECONDS: Final = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    vehicle.add_options(parser, {**SUITES, **vehicle.SUITES})
    models = parser.add_argument_group("of the suite models")
    models.add_argument(
        "--networks", nargs="+", metavar="NAME", help="measure these only, see `kd_seg models` (default: all)"
    )


def run(args: argparse.Namespace) -> int:
    """Run one suite."""
    if args.networks and args.suite != "models":
        raise UserError(f"--networks belongs to --suite models, not {args.suite}")
    if args.suite in vehicle.SUITES:
        return vehicle.run(args)
    vehicle.check(args)
    if args.write:
        marked(args.write, args.suite, "")  # before minutes of measuring
    vehicle.show(args, measure(args))
    return 0


def measure(args: argparse.Namespace) -> Result:
    """Run one suite of the offline half."""
    from distill.benchmarks import folding, metrics, models, postprocess, training
    from distill.models.catalogue import CAMERA_SIZE, MODELS, SWIFTNET, check_name

    seconds = args.seconds or SECONDS
    if args.suite == "postprocess":
        return postprocess.run(seconds)
    if args.suite == "folding":
        text, rows = folding.run(seconds, size=CAMERA_SIZE)
    elif args.suite == "training":
        text, rows = training.run(seconds)
    elif args.suite == "metrics":
        text, rows = metrics.run(seconds)
    else:
        names = args.networks or list(MODELS)
        for name in names:
            check_name(name)
            if name == SWIFTNET:
                raise UserError("'swiftnet' alone names no network; did you mean 'swiftnet_resnet18'?")
        text, rows = models.run([MODELS[name] for name in names], seconds)
    return Result(text, rows)
