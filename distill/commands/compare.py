"""``kd_seg compare``: is one model better than another, or could it be chance?"""

from __future__ import annotations

import argparse
import logging
from dataclasses import asdict
from pathlib import Path

from distill.evaluation.bootstrap import Difference, compare_by_condition
from distill.evaluation.evaluated_run import EvaluatedRun, check_comparable, read_run
from distill.evaluation.metrics_json import FULL
from kd_seg_ros.common.command_line import add_json_option, print_json
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.option_types import count, not_negative

LOGGER = logging.getLogger(__name__)

MOST_DRAWS = 1_000_000
"""Largest number of draws of the bootstrap."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "first", type=Path, metavar="A", help="run folder or metrics.json of `kd_seg evaluate`"
    )
    parser.add_argument(
        "second", type=Path, metavar="B", help="run folder or metrics.json of the other model"
    )
    parser.add_argument(
        "--draws", type=count, default=10_000, metavar="N", help="draws of the bootstrap, at least 100"
    )
    parser.add_argument(
        "--by",
        choices=("image", "sequence"),
        default="image",
        help="what the bootstrap draws: single images, or whole sequences (folders), which is safer because "
        "the images of a drive resemble each other",
    )
    parser.add_argument(
        "--fail-if-worse",
        type=not_negative,
        nargs="?",
        const=0.0,
        metavar="POINTS",
        help="exit status 1 if the mIoU of B over all images is below that of A by more than so many "
        "percentage points (without a number: 0), for automatic checks",
    )
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Compare, print a table and return 1 if B is worse than ``--fail-if-worse`` allows."""
    if args.draws < 100:
        raise UserError("--draws must be at least 100: fewer give no 95 % interval")
    if args.draws > MOST_DRAWS:
        raise UserError(f"--draws must be at most {MOST_DRAWS}: more change nothing in the digits shown")
    first, second = read_run(args.first), read_run(args.second)
    check_comparable([first, second])
    for run in (first, second):
        if run.on_training_images:
            LOGGER.warning("%s: %s", run.name, run.on_training_images)
    results = compare_by_condition(first.images, second.images, args.by, args.draws)
    if args.json:
        document = {
            "models": [first.document["model"], second.document["model"]],
            "by": args.by,
            "draws": args.draws,
            "trained_on": [run.document["data"].get("trained_on") for run in (first, second)],
            "differences": {
                condition: dict(zip(("miou", "ece"), map(asdict, pair), strict=True))
                for condition, pair in results.items()
            },
        }
        print_json(document)
    else:
        print_differences(results, first, second)
    return worse(results[FULL][0], args.fail_if_worse)


def worse(miou: Difference, points: float | None) -> int:
    """Return the exit status: 1 if the second model's mIoU is lower by more than allowed, which is logged.

    :param points: percentage points that it may be lower by; None: any.
    """
    loss = 100 * (miou.first - miou.second)
    if points is None or loss <= points:
        return 0
    chance = "" if miou.certain else ", which could be chance"
    LOGGER.error("B is worse by %.2f points of mIoU%s; --fail-if-worse allows %g", loss, chance, points)
    return 1


def print_differences(
    results: dict[str, tuple[Difference, Difference]], first: EvaluatedRun, second: EvaluatedRun
) -> None:
    """Print a row per condition and score, with its verdict."""
    from rich.console import Console
    from rich.table import Table

    print(f"A: {first.name}\nB: {second.name}")
    table = Table("", "A [%]", "B [%]", "B − A", "95 % interval", "verdict")
    for index, (score, higher_is_better) in enumerate((("mIoU", True), ("ECE", False))):
        for condition, pair in results.items():
            table.add_row(f"{score} {condition}", *row(pair[index], higher_is_better))
        table.add_section()
    Console().print(table)


def row(found: Difference, higher_is_better: bool) -> list[str]:
    """Return the cells of a difference, in percentage points."""
    verdict = "could be chance" if found.enough else f"too few to tell: {found.units}"
    if found.certain:
        verdict = "B is better" if (found.low > 0) == higher_is_better else "A is better"
    return [
        f"{100 * found.first:.2f}",
        f"{100 * found.second:.2f}",
        f"{100 * (found.second - found.first):+.2f}",
        f"{100 * found.low:+.2f} … {100 * found.high:+.2f}",
        verdict,
    ]
