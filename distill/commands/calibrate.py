"""``kd_seg calibrate``: calibrate a checkpoint's confidence, and measure what that changes."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from distill.common.calibration_methods import PARAMETERS
from distill.datasets.options import add_data_options
from kd_seg_ros.common.command_line import add_json_option, print_json
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.files import sha256
from kd_seg_ros.common.logs import progress_shown
from kd_seg_ros.common.model_file import kind_of
from kd_seg_ros.common.option_types import count
from kd_seg_ros.inference.providers import PROVIDERS
from kd_seg_ros.inference.risk import UNITS, parse_rule

if TYPE_CHECKING:
    from distill.calibration.calibrate import CalibrationResult, Scores
    from distill.calibration.risk_thresholds import RiskThresholds
    from distill.datasets.frame import Frame
    from kd_seg_ros.inference.risk import RiskThreshold

LOGGER = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--model",
        type=Path,
        required=True,
        metavar="FILE",
        help="checkpoint of `kd_seg fit`; with --risk or --domain also an ONNX file",
    )
    add_data_options(parser, default="the training's own, and its val split", split="val")
    parser.add_argument(
        "--method",
        choices=tuple(PARAMETERS),
        default="temperature",
        help="method to store for export, unless it makes the held-out NLL or ECE worse; all are compared",
    )
    parser.add_argument(
        "--pixels",
        type=count,
        default=2_000_000,
        metavar="N",
        help="fit on N labelled pixels, drawn evenly from half of the images",
    )
    parser.add_argument(
        "--risk",
        action="append",
        default=[],
        metavar="RULE",
        help="find the threshold of the confidence that keeps a rule, on images held out: road=0.01 (at most "
        "1 %% of the pixels called road are not), person:miss=0.02 (at most 2 %% of the persons are called "
        "something else), also road+sidewalk=0.01, drivable=0.01, vulnerable:miss=0.05; may be repeated",
    )
    parser.add_argument(
        "--unit",
        choices=UNITS,
        default="image",
        help="the rules hold on average over images, or over drives (folders), which is right for videos: "
        "their frames resemble each other",
    )
    parser.add_argument(
        "--domain",
        action="store_true",
        help="measure how the early feature maps look on these images, so that the vehicle can tell images "
        "that are unlike them: the model file then has an output domain_distance",
    )
    parser.add_argument(
        "--provider", choices=tuple(PROVIDERS), default="cpu", help="what an ONNX file runs on"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="with an ONNX file: where to write the file with what was found",
    )
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Fit, compare, and write calibration and reliability diagrams next to the checkpoint.

    If they cannot be written, the comparison is printed all the same before the error is raised.

    An ONNX file is calibrated already; it gets thresholds only.

    :return: 1 if a rule of ``--risk`` cannot be promised.
    """
    if kind_of(args.model) == "onnx":
        return _run_on_file(args)
    from distill.calibration.calibrate import calibrate
    from distill.checkpoints.stored_calibration import UNCALIBRATED, calibration_path
    from distill.checkpoints.student import load_student
    from distill.common.files import check_destination, write_json
    from distill.data.evaluation_images import choose_frames
    from distill.evaluation.reliability_diagram import write_diagrams

    if args.out:
        raise UserError("--out belongs to an ONNX file: what is found for a checkpoint is stored next to it")
    if args.domain:
        raise UserError(f"--domain belongs to an ONNX file: export {args.model} first, then give the file")
    network, config = load_student(args.model)
    path, picture = calibration_path(args.model), args.model.with_suffix(".reliability.png")
    for file in (path, picture):
        check_destination(file)
    rules = [parse_rule(text, config.data.class_names) for text in args.risk]
    frames = choose_frames(args, config.data, config.data.class_names)
    if len(frames) == 1:
        LOGGER.warning("a single image: the scores below are not held out, it was calibrated on")
    shown = progress_shown()
    try:
        result = calibrate(network, config, frames, args.method, args.pixels, shown, rules, args.unit)
    except ValueError as error:
        raise UserError(f"{args.model} cannot be calibrated: {error}") from error

    dataset, split = args.dataset or config.data.summary, args.split or "val"
    document = result.document(sha256(args.model), dataset, split)
    method = result.method if result.kept else f"{result.method} (not kept)"
    title = f"{config.name}: {method}, {result.reported_images} images{' held out' * result.held_out}"
    failure = None
    try:
        write_json(path, document)
        write_diagrams(picture, result.scores[UNCALIBRATED], result.scores[result.method], title)
        LOGGER.info("reliability diagrams before and after: %s", picture)
        _log_stored(result, path)
    except UserError as error:  # a disk that is full by now: the scores are printed all the same
        failure = error
    if args.json:
        print_json(document)
    else:
        print(
            f"fitted on {result.fitted_images} images, {result.fitted_pixels} pixels; "
            f"measured on {result.reported_images} images"
        )
        print_comparison(result.scores)
        print_rare_classes(result, len(config.data.class_names))
        print_thresholds(result.risk.thresholds)
    status = _log_risk(result.risk)
    if failure is not None:
        raise failure
    return status


def _run_on_file(args: argparse.Namespace) -> int:
    """Write an ONNX file again with what was found; return 1 if a rule cannot be promised."""
    from distill.calibration.passes import count_risks
    from distill.calibration.risk_thresholds import find_thresholds
    from distill.common.files import check_destination
    from distill.data.evaluation_images import choose_frames
    from distill.evaluation.evaluated_model import open_onnx
    from distill.export.model_card import write_thresholds

    if not (args.risk or args.domain) or args.out is None:
        raise UserError(
            f"{args.model} is no checkpoint: give --risk or --domain, and --out, to find thresholds or a "
            "domain distance for it, or calibrate the checkpoint it was exported from"
        )
    check_destination(args.out)
    model = open_onnx(args.model, args.provider)
    rules = [parse_rule(text, model.class_names) for text in args.risk]
    frames = choose_frames(args, model.data, model.class_names, labelled=bool(rules))
    if args.domain:
        _add_distance(args, frames)
    if not rules:
        return 0
    written = args.out if args.domain else args.model
    scores = count_risks(model.publish, frames, rules, model.class_names, progress_shown())
    risk = find_thresholds(scores, args.unit)
    if risk.thresholds:
        write_thresholds(written, risk.thresholds, args.out)
        LOGGER.info("%d thresholds written into %s", len(risk.thresholds), args.out)
    if args.json:
        print_json({"risk": [asdict(threshold) for threshold in risk.thresholds]})
    else:
        print_thresholds(risk.thresholds)
    return _log_risk(risk)


def _add_distance(args: argparse.Namespace, frames: Sequence[Frame]) -> None:
    """Write an ONNX file again with a domain distance fitted to some images."""
    from distill.calibration.domain_fit import ENOUGH, measure_distance
    from distill.export.domain_file import StatisticsOfMaps, write_distance

    statistics = StatisticsOfMaps(args.model)
    try:
        found = measure_distance(statistics.measure, frames, progress_shown())
    except ValueError as error:
        raise UserError(f"{args.model} gets no domain distance: {error}") from error
    folder = args.root or args.images
    source = args.dataset or "the training data"
    entry = found.of_card(f"{source}{f' in {folder.name}' if folder else ''}, {args.split or 'val'}")
    write_distance(args.model, args.out, statistics.maps, found.reference, entry)
    if len(frames) < ENOUGH:
        LOGGER.warning(
            "the domain distance's 99th percentile of %d images is little more than their largest: "
            "%d or more tell it better",
            len(frames),
            ENOUGH,
        )
    quantiles = ", ".join(f"{value:.2f} ({percent} %)" for percent, value in entry["quantiles"].items())
    LOGGER.info("domain distance of %d images written into %s: %s", len(frames), args.out, quantiles)


def _log_risk(risk: RiskThresholds) -> int:
    """Say what was not promised; return 1 if that is any rule."""
    for line in risk.pooled:
        LOGGER.info("too few images for a threshold of their own: %s", line)
    for line in risk.refusals:
        LOGGER.error("not promised: %s", line)
    return 1 if risk.refusals else 0


def _log_stored(result: CalibrationResult, path: Path) -> None:
    """Say what was stored: the method with its temperature, or why it was not kept and which would be."""
    value = f" {result.calibration.temperature:.4f}" if result.method == "temperature" else ""
    if result.kept:
        LOGGER.info("%s%s written to %s; `kd_seg export` reads it from there", result.method, value, path)
        return
    better = [name for name, fault in result.faults.items() if not fault]
    advice = f"; --method {' or '.join(better)} makes neither NLL nor ECE worse" if better else ""
    LOGGER.warning(
        "%s%s is not kept, because it %s: the network stays uncalibrated%s",
        result.method,
        value,
        result.faults[result.method],
        advice,
    )


def print_comparison(scores: Mapping[str, Scores]) -> None:
    """Print one column per method: the scores over all reported images, then the ECE of each condition."""
    from rich.console import Console
    from rich.table import Table

    from distill.evaluation.metrics_json import FULL

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


def print_thresholds(thresholds: Sequence[RiskThreshold]) -> None:
    """Print the thresholds that were found for ``--risk``, one per line, if any."""
    from rich.console import Console
    from rich.table import Column, Table

    if not thresholds:
        return
    table = Table(Column("rule", overflow="fold"), "weather", "confidence ≥", "wrong [%]", "kept [%]", "on")
    for found in thresholds:
        table.add_row(
            str(found.rule),
            found.condition,
            f"{found.level / 255:.3f}",
            f"{100 * found.measured:.2f}",
            f"{100 * found.coverage:.1f}",
            f"{found.units} {found.unit}s",
        )
    Console().print(table)


def print_rare_classes(result: CalibrationResult, classes: int) -> None:
    """Say which classes had too few pixels for separate parameters."""
    from distill.calibration.methods import METHODS
    from distill.calibration.rare import FEWEST

    for name, rare in result.rare.items():
        if rare:
            print(
                f"{name}: {len(rare)} of {classes} classes keep the common temperature, with fewer than "
                f"{FEWEST} pixels {METHODS[name].classes_of} as it: {', '.join(rare)}"
            )
