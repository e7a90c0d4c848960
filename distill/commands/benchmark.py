"""``kd_seg benchmark``: measure on this machine, and print a Markdown table."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from distill.benchmarks import folding, metrics, models, postprocess, training
from distill.models.catalogue import CAMERA_SIZE, MODELS, SWIFTNET, check_name
from kd_seg_ros.benchmark.marks import marked, write_between_marks
from kd_seg_ros.common.errors import UserError

SUITES = ("models", "folding", "training", "metrics", "postprocess")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--suite", choices=SUITES, required=True, help="models: size and speed of all networks"
    )
    parser.add_argument("--models", nargs="+", metavar="NAME", help="only these of the suite (default: all)")
    parser.add_argument(
        "--seconds", type=float, default=10, help="for each comparison, at least (default: %(default)s)"
    )
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument(
        "--write", type=Path, help="put the table into this Markdown file, between its `<!-- SUITE -->` marks"
    )


def run(args: argparse.Namespace) -> int:
    """Run one suite."""
    if args.write:
        marked(args.write, args.suite, "")  # before minutes of measuring
    if args.suite != "models":
        if args.models:
            raise UserError("--models belongs to --suite models")
        suites: dict[str, Callable[[float], tuple[str, list[dict[str, Any]]]]] = {
            "folding": partial(folding.run, size=CAMERA_SIZE),
            "training": training.run,
            "metrics": metrics.run,
            "postprocess": _postprocess,
        }
        text, rows = suites[args.suite](args.seconds)
    else:
        names = args.models or list(MODELS)
        for name in names:
            check_name(name)
            if name == SWIFTNET:
                raise UserError("'swiftnet' alone names no network; did you mean 'swiftnet_resnet18'?")
        text, rows = models.run([MODELS[name] for name in names], args.seconds)
    print(text)
    try:
        if args.json:
            args.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
        if args.write:
            write_between_marks(args.write, args.suite, text)
    except OSError as error:
        raise UserError(f"{error.filename} cannot be written: {error.strerror}") from error
    return 0


def _postprocess(seconds: float) -> tuple[str, list[dict[str, Any]]]:
    result = postprocess.run(seconds)
    return result.text, [result.figures]
