"""``kd_seg calibrate``: make a checkpoint's confidence honest, and measure by how much.

All methods are fitted on one half of the labelled images and compared on the other
(:mod:`distill.calibration.halves`). What is stored for `evaluate` and `export` is exactly what was
compared: no second fit on all images.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from torch import Tensor

from distill.calibration import (
    LogitCalibration,
    find_class_temperatures,
    find_temperature,
    find_vector_scaling,
)
from distill.calibration.halves import split
from distill.calibration.passes import Confusion, Drawn, count_masks, draw_pixels, score_all
from distill.calibration.rare import FEWEST, is_rare
from distill.checkpoints.stored_calibration import SCHEMA_VERSION, UNCALIBRATED, calibration_path
from distill.checkpoints.student import deployed, load_student
from distill.common.files import plain, write_json
from distill.data import evaluation_images
from distill.data.dataset import SegmentationDataset
from distill.evaluation.image_scores import ImageScores
from distill.evaluation.metrics_json import FULL
from distill.evaluation.reliability_diagram import write_diagrams
from distill.metrics import mean_iou
from distill.models.logit_calibration import PARAMETERS
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.files import sha256
from kd_seg_ros.inference.drift import bin_accuracy, expected_accuracy

ByCondition = dict[str, dict[str, Any]]
"""Summaries of :class:`~distill.evaluation.evaluation.Evaluation`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--checkpoint", type=Path, required=True, help="a .ckpt of `fit`")
    evaluation_images.add_options(parser)
    parser.add_argument(
        "--method",
        choices=PARAMETERS,
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
    """Fit, compare, and write calibration and reliability diagrams beside the checkpoint."""
    if args.pixels < 1:
        raise UserError("--pixels must be at least 1")
    network, config = load_student(args.checkpoint)
    names = config.data.class_names
    frames, others = split(evaluation_images.choose_frames(args, config.data, names))
    half, held_out = SegmentationDataset(frames), SegmentationDataset(others or frames)
    if not others:
        print("warning: a single image: the scores below are not held out, it was calibrated on")

    model = deployed(network, config)
    try:
        drawn = draw_pixels(model, half, args.pixels, len(names))
        calibrations = fit(drawn.logits, drawn.labels)
        evaluations = score_all(model, held_out, calibrations, names)
    except ValueError as error:
        raise UserError(f"{args.checkpoint} cannot be calibrated: {error}") from error
    calibration = calibrations[args.method]
    scores = {name: evaluation.summary() for name, evaluation in evaluations.items()}
    confusion = drawn.confusion
    if args.method == "vector":  # the others keep the mask
        confusion = count_masks(deployed(network, config, calibration), half, len(names))
    document = {
        "schema_version": SCHEMA_VERSION,
        "checkpoint_sha256": sha256(args.checkpoint),
        "method": args.method,
        "parameters": calibration.parameters(),
        "data": {"dataset": args.dataset or config.data.summary, "split": args.split or "val"},
        "fitted_on": {"images": len(half), "pixels": len(drawn.labels)},
        "reported_on": {"images": len(held_out)},
        "held_out": bool(others),
        "scores": scores,
        "miou": pooled_miou(confusion, scores[args.method] if others else {}),
        "expected_accuracy": seen_ranges(evaluations[args.method].images(), scores[args.method]),
    }
    path, picture = calibration_path(args.checkpoint), args.checkpoint.with_suffix(".reliability.png")
    write_json(path, document)
    title = f"{config.name}: {args.method}, {len(held_out)} images" + (" held out" if others else "")
    write_diagrams(picture, scores[UNCALIBRATED], scores[args.method], title)

    print(f"fitted on {len(half)} images, {len(drawn.labels)} pixels; measured on {len(held_out)} images")
    print_comparison(scores)
    print_exceptions(drawn, names)
    value = f" {calibration.temperature:.4f}" if args.method == "temperature" else ""
    print(f"reliability diagrams before and after: {picture}")
    print(f"{args.method}{value} written to {path}; `kd_seg export` reads it from there")
    return 0


def fit(logits: Tensor, labels: Tensor) -> dict[str, LogitCalibration]:
    """Find the parameters of every method; with what changes nothing before them.

    :param logits: [N, C]; ``labels``: int64 [N].
    :raises ValueError: if there is no pixel or a logit is not finite.
    """
    temperature = find_temperature(logits, labels)
    return {
        UNCALIBRATED: LogitCalibration(),
        "temperature": LogitCalibration("temperature", temperature=temperature),
        "class_temperature": find_class_temperatures(logits, labels, temperature),
        "vector": find_vector_scaling(logits, labels, temperature),
    }


def pooled_miou(confusion: Confusion, held_out: ByCondition) -> dict[str, float | None]:
    """Return the mIoU by condition over both halves.

    :param confusion: of the first half; ``held_out``: summaries of the second.
    """
    pooled = dict(confusion)
    for condition, summary in held_out.items():
        other = np.array(summary["confusion"])
        pooled[condition] = pooled.get(condition, np.zeros_like(other)) + other
    return {condition: plain(mean_iou(matrix)) for condition, matrix in pooled.items()}


def seen_ranges(images: ImageScores, scores: ByCondition) -> dict[str, tuple[float, float]]:
    """Return the range of the images' expected accuracy by condition: from the 1st to the 99th percentile.

    The vehicle, which does not know its condition, computes it from the table of all of them; so does this.
    """
    counts = np.concatenate([images.count[:, :-2], images.count[:, -2:].sum(axis=1, keepdims=True)], axis=1)
    values = expected_accuracy(counts, bin_accuracy(scores[FULL]["reliability"]))
    labelled = ~np.isnan(values)
    ranges = {}
    for condition in scores:
        chosen = values[labelled & ((images.conditions == condition) | (condition == FULL))]
        if len(chosen):
            low, high = np.quantile(chosen, [0.01, 0.99])
            ranges[condition] = float(low), float(high)
    return ranges


def print_comparison(scores: dict[str, ByCondition]) -> None:
    """Print one column a method: the scores over all held-out images, then the ECE of each condition."""
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
        values = (of_method[condition][key] for of_method in scores.values())
        table.add_row(label, *("–" if v is None else f"{factor * v:.{digits}f}" for v in values))
    Console().print(table)


def print_exceptions(drawn: Drawn, names: Sequence[str]) -> None:
    """Say which classes had too few pixels for parameters of their own."""
    for ids, of_class, method in (
        (drawn.logits.argmax(1), "predicted as it", "class_temperature"),
        (drawn.labels, "labelled as it", "vector"),
    ):
        rare = [name for name, few in zip(names, is_rare(ids, len(names)), strict=True) if few]
        if rare:
            print(
                f"{method}: {len(rare)} of {len(names)} classes keep the common temperature, with fewer than "
                f"{FEWEST} pixels {of_class}: {', '.join(rare)}"
            )
