"""The campaign as a command: its options, and how its results are put out.

``kd_seg fuzz`` of the offline half has the same options and suites, and further suites.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from kd_seg_ros.campaign.campaign import Campaign, Limits, problems
from kd_seg_ros.campaign.case import SUITES, endless_cases, load_suite, read_case
from kd_seg_ros.campaign.watched_child import CASE_S
from kd_seg_ros.common.child_process import ProcessError
from kd_seg_ros.common.command_line import add_json_option, fail, print_json
from kd_seg_ros.common.cores import own_cores
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.option_types import count, positive, workers
from kd_seg_ros.common.suggest import did_you_mean

LOGGER = logging.getLogger(__name__)
CASES: Final = 1000
"""Number of cases without an option that says otherwise."""


def add_arguments(parser: argparse.ArgumentParser, suites: Mapping[str, str] = SUITES) -> None:
    """Declare the command's options.

    :param suites: names of suites → modules.
    """
    parser.description = (
        "Give the program malformed inputs, in child processes with limits of time and memory, and count "
        "what comes of them. Ends with status 1 after a crash, a hang, a traceback, too much memory, a wrong "
        "result or a wrong refusal; each of these can be tried again with --case."
    )
    add = parser.add_argument
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=positive, metavar="N", help="go on for N minutes")
    length.add_argument(
        "--cases", type=count, metavar="N", help=f"try N cases (default: {CASES}, without --minutes)"
    )
    length.add_argument(
        "--case",
        action="append",
        metavar="SUITE/NAME:SEED",
        help="try this case alone, as a failed one is printed; may be given several times",
    )
    add("--seed", type=int, default=0, metavar="N", help="seed of the first cases")
    add(
        "--only",
        metavar="SUITES",
        help=f"suites to take cases from, separated by commas (default: all: {','.join(suites)})",
    )
    add("--out", type=Path, metavar="DIR", help="folder to keep the inputs of failed cases in")
    add("--workers", type=workers, metavar="N", help="number of processes (default: one per core)")
    add(
        "--timeout",
        type=positive,
        default=CASE_S,
        metavar="S",
        help="seconds after which a case counts as a hang",
    )
    add_json_option(parser)


def run(args: argparse.Namespace, suites: Mapping[str, str] = SUITES) -> int:
    """Run a campaign; return 1 if a case failed, otherwise 0."""
    if args.seed < 0:
        raise UserError(f"--seed {args.seed}: must not be negative")
    limits = Limits(
        args.cases or (None if args.minutes else CASES),
        60 * args.minutes if args.minutes else None,
        args.timeout,
    )
    if args.case:
        chosen = [read_case(text, suites) for text in args.case]
        limits = Limits(len(chosen), None, args.timeout)
        cases = iter(chosen)
    else:
        cases = endless_cases(_names(_chosen(args.only, suites), args.only is not None), args.seed)
    if args.out is not None:
        _make(args.out)
    try:
        campaign = Campaign(cases, dict(suites), limits, args.out, LOGGER.info)
        results = campaign.run(args.workers or own_cores())
    except ProcessError as error:
        return fail(str(error), status=1)
    if args.json:
        print_json(results.figures())
    else:
        print(results.table())
    for line in problems(results):
        print(line, file=sys.stderr)
    return 1 if results.failures else 0


def _chosen(only: str | None, suites: Mapping[str, str]) -> dict[str, str]:
    """Return the suites that ``--only`` names."""
    if only is None:
        return dict(suites)
    wanted = [name.strip() for name in only.split(",")]
    for name in wanted:
        if name not in suites:
            advice = did_you_mean(name, suites) or f"; there are {', '.join(suites)}"
            raise UserError(f"--only: there is no suite {name!r}{advice}")
    return {name: suites[name] for name in wanted}


def _names(suites: Mapping[str, str], demanded: bool) -> dict[str, Sequence[str]]:
    """Return the names of each suite's cases; a suite that lacks a package is left out with a line.

    :param demanded: the user has named the suites, so that none may be left out.
    """
    found: dict[str, Sequence[str]] = {}
    for suite, module in suites.items():
        try:
            found[suite] = load_suite(module).names()
        except ImportError as error:
            if demanded:
                raise
            LOGGER.warning("suite %s is left out: the Python package %s is missing", suite, error.name)
    if not found:
        raise UserError("no suite can run here")
    return found


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {folder}: cannot be made: {error.strerror}") from error
