"""``kd_seg report``: evaluated runs side by side, with the thesis' numbers, plots and pictures."""

from __future__ import annotations

import argparse
import logging
import shlex
from pathlib import Path

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.logs import progress_shown

LOGGER = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="folder of a run that `kd_seg evaluate` has measured, or its metrics.json",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder to write page and plots into"
    )
    parser.add_argument(
        "--baseline", type=Path, metavar="RUN", help="compare with this run (default: the first)"
    )
    parser.add_argument(
        "--speeds",
        type=Path,
        metavar="FILE",
        help="JSON file of `kd_seg benchmark --suite models --json` (default: the speeds of the thesis)",
    )
    parser.add_argument(
        "--pareto",
        type=Path,
        metavar="FILE.SVG",
        help="also draw mIoU against CPU time and GFLOPs into this file; needs --speeds",
    )
    parser.add_argument(
        "--root", type=Path, metavar="DIR", help="folder of the images (default: where they were evaluated)"
    )
    parser.add_argument(
        "--tables", type=Path, metavar="DIR", help="also write every table as CSV and as LaTeX (booktabs)"
    )


def run(args: argparse.Namespace) -> int:
    """Write DIR/report.html and DIR/plots, and the tables if they are asked for; print where."""
    from distill.common.files import check_destination
    from distill.report.comparison_plots import measured_speeds, thesis_speeds
    from distill.report.page import write_report
    from distill.report.pareto import write_pareto
    from distill.report.runs import load_runs
    from distill.report.table_files import write_tables

    if args.pareto and not args.speeds:
        raise UserError("--pareto needs --speeds, the CPU times of the networks")
    if args.tables:
        check_destination(args.tables / "runs.csv")
    runs = load_runs(args.runs, args.baseline)
    speeds = measured_speeds(args.speeds, runs) if args.speeds else thesis_speeds(runs)
    page = write_report(runs, speeds, args.out, args.root, _command(args), progress=progress_shown())
    for one in runs:
        if one.evaluated.on_training_images:
            LOGGER.warning("%s: %s", one.label, one.evaluated.on_training_images)
    for note in page.notes:
        LOGGER.warning(note)
    if args.tables:
        written = write_tables(page.tables, args.tables)
        print(f"{len(written)} files of tables written to {args.tables}")
    if args.pareto:
        write_pareto(runs, args.speeds, args.pareto)
        print(f"plot written to {args.pareto}")
    print(f"report written to {args.out / 'report.html'}, its plots to {args.out / 'plots'}")
    return 0


def _command(args: argparse.Namespace) -> str:
    words = ["kd_seg", "report", *map(str, args.runs), "--out", str(args.out)]
    for option in ("baseline", "speeds", "pareto", "root", "tables"):
        if value := getattr(args, option):
            words += [f"--{option}", str(value)]
    return shlex.join(words)
