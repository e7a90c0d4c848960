"""``kd_seg report``: evaluated runs side by side, with the thesis' numbers, plots and pictures."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from distill.report import galleries, plots, thesis_numbers
from distill.report.class_tables import auprc_tables, iou_tables
from distill.report.comparisons import pairs, references
from distill.report.figures import look
from distill.report.page import Page, write
from distill.report.predictions import Predictions, predict
from distill.report.runs import load_runs
from distill.report.speeds import measured, of_thesis
from distill.report.tables import calibration_table, runs_table, scores_table
from kd_seg_ros.common.errors import UserError


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
    speeds = measured(args.fps, runs) if args.fps else of_thesis(runs)
    folder = _make_folder(args.out)
    compared = references(runs)
    shown = pairs(runs, compared)
    plans = galleries.plan(runs, shown)
    notes: list[str] = []
    pictures: dict[str, list[galleries.Gallery]] = {}
    predictions = _predictions(plans, args.root, notes)
    with look():
        drawn = plots.make(runs, compared, [r for pair in shown for r in pair] or runs[:1], speeds, folder)
        if predictions is not None:
            pictures = galleries.make(plans, predictions, folder)
    notes += drawn.notes
    comparable = thesis_numbers.is_acdc_val(runs[0])
    tables = {
        "runs": [runs_table(runs)],
        "scores": [scores_table(runs, compared, comparable)],
        "iou": iou_tables(runs, compared, comparable),
        "auprc": auprc_tables(runs, compared, comparable),
        "calibration": [calibration_table(runs)],
    }
    page = Page(runs, compared, comparable, tables, drawn, pictures, notes, _command(args))
    path = args.out / "report.html"
    write(path, page)
    for note in notes:
        print(note)
    print(f"report written to {path}, its plots to {folder}")
    return 0


def _make_folder(out: Path) -> Path:
    """Make the folder of the plots, before minutes of work; raises UserError where that is not possible."""
    folder = out / "plots"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {out} cannot be made: {error.strerror}") from error
    return folder


def _predictions(plans: list[galleries.Plan], root: Path | None, notes: list[str]) -> Predictions | None:
    """Run the networks over the images to show; None, with a note, where that is not possible."""
    try:
        return predict(galleries.wanted(plans), root)
    except UserError as error:
        notes.append(
            "Panels, worst images, confident mistakes and border weights are left out: they need the models "
            f"and the images. {error}."
        )
        return None


def _command(args: argparse.Namespace) -> str:
    words = ["python", "-m", "distill", "report", *map(str, args.runs), "--out", str(args.out)]
    for option in ("baseline", "fps", "root"):
        if value := getattr(args, option):
            words += [f"--{option}", str(value)]
    return shlex.join(words)
