"""``kd_seg report``: evaluated runs side by side, with the thesis' numbers, plots and pictures."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from distill.report.comparison_plots import measured_speeds, thesis_speeds
from distill.report.page import write_report
from distill.report.runs import load_runs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="folder of a run that `evaluate` has measured, or a metrics.json; the first is the baseline",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write into")
    parser.add_argument("--baseline", type=Path, metavar="RUN", help="compare with this run instead")
    parser.add_argument(
        "--fps",
        type=Path,
        metavar="FILE",
        help="JSON of `benchmark --suite models` (default: the thesis' FPS)",
    )
    parser.add_argument(
        "--root", type=Path, metavar="DIR", help="where the images are (default: where they were evaluated)"
    )


def run(args: argparse.Namespace) -> int:
    """Write DIR/report.html and DIR/plots; print where."""
    runs = load_runs(args.runs, args.baseline)
    speeds = measured_speeds(args.fps, runs) if args.fps else thesis_speeds(runs)
    page = write_report(runs, speeds, args.out, args.root, _command(args), progress=True)
    for note in page.notes:
        print(note)
    print(f"report written to {args.out / 'report.html'}, its plots to {args.out / 'plots'}")
    return 0


def _command(args: argparse.Namespace) -> str:
    words = ["kd_seg", "report", *map(str, args.runs), "--out", str(args.out)]
    for option in ("baseline", "fps", "root"):
        if value := getattr(args, option):
            words += [f"--{option}", str(value)]
    return shlex.join(words)
