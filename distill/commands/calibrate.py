"""``kd_seg calibrate``: calibrate a checkpoint's confidence, and measure what that changes."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from distill.calibration.calibrate import CalibrationResult, Scores, calibrate
from distill.calibration.methods import METHODS
from distill.calibration.rare import FEWEST
from distill.checkpoints.stored_calibration import UNCALIBRATED, calibration_path
from distill.checkpoints.student import load_student
from distill.common.files import write_json
from distill.data import evaluation_images
from distill.evaluation.metrics_json import FULL
from distill.evaluation.reliability_diagram import write_diagrams
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.files import sha256


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--checkpoint", type=Path, required=True, help="a .ckpt of `fit`")
    evaluation_images.add_options(parser)
    parser.add_argument(
        "--method",
        choices=METHODS,
        default="temperature",
        help="what to deploy; all are compared (default: %(default)s)",
    )
    parser.add_argument(
        "--pixels",
        type=int,
        default=2_000_000,
        help="labelled pixels to fit on, drawn evenly from half of the images (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Fit, compare, and write calibration and reliability diagrams next to the checkpoint."""
    if args.pixels < 1:
        raise UserError("--pixels must be at least 1")
    network, config = load_student(args.checkpoint)
    frames = evaluation_images.choose_frames(args, config.data, config.data.class_names)
    if len(frames) == 1:
        print("warning: a single image: the scores below are not held out, it was calibrated on")
    try:
        result = calibrate(network, config, frames, args.method, args.pixels, progress=True)
    except ValueError as error:
        raise UserError(f"{args.checkpoint} cannot be calibrated: {error}") from error

    path, picture = calibration_path(args.checkpoint), args.checkpoint.with_suffix(".reliability.png")
    dataset, split = args.dataset or config.data.summary, args.split or "val"
    write_json(path, result.document(sha256(args.checkpoint), dataset, split))
    held_out = " held out" if result.held_out else ""
    title = f"{config.name}: {result.method}, {result.reported_images} images{held_out}"
    write_diagrams(picture, result.scores[UNCALIBRATED], result.scores[result.method], title)

    print(
        f"fitted on {result.fitted_images} images, {result.fitted_pixels} pixels; "
        f"measured on {result.reported_images} images"
    )
    print_comparison(result.scores)
    print_rare_classes(result, len(config.data.class_names))
    value = f" {result.calibration.temperature:.4f}" if result.method == "temperature" else ""
    print(f"reliability diagrams before and after: {picture}")
    print(f"{result.method}{value} written to {path}; `kd_seg export` reads it from there")
    return 0


def print_comparison(scores: Mapping[str, Scores]) -> None:
    """Print one column per method: the scores over all reported images, then the ECE of each condition."""
    conditions = [condition for condition in next(iter(scores.values())) if condition != FULL]
    rows = [
        ("mIoU [%]", FULL, "miou", 100, 2),
        ("NLL (nats)", FULL, "nll", 1, 4),
        ("Brier score", FULL, "brier", 1, 4),
        ("ECE [%]", FULL, "ece", 100, 2),
    ]
    if len(conditions) > 1:  # a single one is the whole
        rows += [(f"ECE {condition} [%]", condition, "ece", 100, 2) for condition in conditions]
    table = Table("", *scores)
    for label, condition, key, factor, digits in rows:
        values = [of_method[condition][key] for of_method in scores.values()]
        table.add_row(label, *("–" if value is None else f"{factor * value:.{digits}f}" for value in values))
    Console().print(table)


def print_rare_classes(result: CalibrationResult, classes: int) -> None:
    """Say which classes had too few pixels for parameters of their own."""
    for name, rare in result.rare.items():
        if rare:
            print(
                f"{name}: {len(rare)} of {classes} classes keep the common temperature, with fewer than "
                f"{FEWEST} pixels {METHODS[name].classes_of} as it: {', '.join(rare)}"
            )
