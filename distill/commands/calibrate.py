"""``kd_seg calibrate``: calibrate a checkpoint's confidence, and measure what that changes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from distill.common.calibration_methods import PARAMETERS, TEMPERATURE
from distill.datasets.options import add_data_options
from distill.datasets.training_images import TrainingImages
from kd_seg_ros.common.command_line import add_json_option, print_json
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.files import sha256
from kd_seg_ros.common.logs import progress_shown
from kd_seg_ros.common.model_file import kind_of
from kd_seg_ros.common.option_types import count
from kd_seg_ros.inference.providers import PROVIDERS
from kd_seg_ros.inference.risk import UNITS, parse_rule

if TYPE_CHECKING:
    from distill.calibration.calibrate import CalibrationResult
    from distill.config import DataConfig
    from distill.datasets.frame import Frame
    from distill.export.calibrated_file import FittedDistance
    from distill.models.deployed import DeployedModel

TOO_SURE: Final = "calibrate on others, where it is less often right"
"""What follows if a model is calibrated on images that it was trained on."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--model",
        type=Path,
        required=True,
        metavar="FILE",
        help="checkpoint of `kd_seg fit`, or an ONNX file of `kd_seg export` or `kd_seg wrap`",
    )
    add_data_options(parser, default="the training's own, and its val split", split="val")
    parser.add_argument(
        "--method",
        choices=tuple(PARAMETERS),
        help="method to store, unless it makes the held-out NLL, ECE or mIoU worse; all are compared "
        "(default: temperature; an ONNX file with --risk keeps its calibration unless a method is given)",
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
        help="give an ONNX file an output domain_distance, which tells images that are unlike these; where "
        "they have labels, correct the expected accuracy by it, too: the network runs three times per image",
    )
    parser.add_argument(
        "--provider", choices=tuple(PROVIDERS), default="cpu", help="what an ONNX file runs on"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="for an ONNX file: where to write the calibrated file",
    )
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Fit, compare, and write calibration and reliability diagrams next to the checkpoint.

    If they cannot be written, the comparison is printed all the same before the error is raised.

    Of an ONNX file a new one is written, with the calibration in its graph and its card.

    :return: 1 if a rule of ``--risk`` cannot be promised.
    """
    if kind_of(args.model) == "onnx":
        return _run_on_file(args)
    from distill.calibration.tables import draw_diagrams, log_stored
    from distill.checkpoints.stored_calibration import calibration_path
    from distill.checkpoints.student import deployed, load_student
    from distill.checkpoints.trained_images import training_images_of
    from distill.common.files import check_destination, write_json

    if args.out:
        raise UserError("--out belongs to an ONNX file: what is found for a checkpoint is stored next to it")
    if args.domain:
        raise UserError(f"--domain belongs to an ONNX file: export {args.model} first, then give the file")
    network, config = load_student(args.model)
    path, picture = calibration_path(args.model), args.model.with_suffix(".reliability.png")
    for file in (path, picture):
        check_destination(file)
    trained = training_images_of(args.model)
    frames, data = _choose(args, config.data, config.data.class_names, trained)
    result = _calibrate(args, deployed(network, config), config.data.class_names, frames)
    document = result.document(sha256(args.model), data)
    failure = None
    try:
        write_json(path, document)
        draw_diagrams(picture, result, config.name)
        log_stored(result, f"written to {path}; `kd_seg export` reads it from there")
    except UserError as error:  # a disk that is full by now: the scores are printed all the same
        failure = error
    return _show(args, result, document, failure)


def _run_on_file(args: argparse.Namespace) -> int:
    """Write an ONNX file again, with what was asked for; return 1 if a rule cannot be promised."""
    from distill.export.verified_export import check_destination

    if args.out is None:
        raise UserError(f"{args.model} is an ONNX file: say by --out where to write the calibrated one")
    check_destination(args.out)
    # Measured first: what makes it impossible is said before minutes are spent on the calibration.
    distance = _fit_distance(args) if args.domain else None
    entries = {} if distance is None else {"domain": distance.entry}
    status, written = 0, False
    if args.risk and args.method is None:
        status, written = _add_thresholds(args, entries)
    elif args.risk or args.method or not args.domain:
        status, written = _calibrate_file(args, entries), True
    elif args.json:
        print_json(entries)
    if distance is not None:
        # The expected accuracy is that of the calibration which the file has by then.
        source = args.out if written else args.model
        distance.write(source, args.out, args.provider, progress_shown())
    return status


def _calibrate_file(args: argparse.Namespace, entries: dict[str, Any]) -> int:
    """Write an ONNX file again with another calibration; return 1 if a rule cannot be promised.

    :param entries: to be printed with the calibration's by ``--json``.
    """
    from distill.calibration.tables import draw_diagrams, log_stored
    from distill.evaluation.evaluated_model import data_of
    from distill.export.calibrated_file import write_calibrated
    from distill.export.file_model import FileModel, LogitsEngine

    engine = LogitsEngine(args.model, args.provider)
    card, model = engine.card, FileModel(engine)
    trained = TrainingImages.parse(card.training_images)
    frames, data = _choose(args, data_of(card), card.class_names, trained)
    result = _calibrate(args, model, card.class_names, frames)
    document = result.document(sha256(args.model), data)
    failure = None
    try:
        write_calibrated(args.model, args.out, card, model, result, document, frames, args.provider)
        draw_diagrams(args.out.with_suffix(".reliability.png"), result, card.name)
        log_stored(result, f"written into {args.out}")
    except UserError as error:  # the scores are printed all the same
        failure = error
    return _show(args, result, document | entries, failure)


def _add_thresholds(args: argparse.Namespace, entries: dict[str, Any]) -> tuple[int, bool]:
    """Write an ONNX file again with thresholds for its own calibration.

    :param entries: to be printed with the thresholds by ``--json``.
    :return: 1 if a rule is not promised, else 0; and whether any is, so that the file was written.
    """
    from distill.calibration.tables import log_risk, print_thresholds
    from distill.evaluation.evaluated_model import open_onnx
    from distill.export.calibrated_file import write_promised

    model = open_onnx(args.model, args.provider)
    rules = [parse_rule(text, model.class_names) for text in args.risk]
    frames, data = _choose(args, model.data, model.class_names, model.training_images)
    trained_on = data["trained_on"]
    risk = write_promised(model, args.out, frames, rules, args.unit, progress_shown(), trained_on)
    if args.json:
        print_json({"risk": [asdict(threshold) for threshold in risk.thresholds], **entries})
    else:
        print_thresholds(risk.thresholds)
    return log_risk(risk), bool(risk.thresholds)


def _fit_distance(args: argparse.Namespace) -> FittedDistance:
    """Fit a domain distance to the images, which need no labels for that."""
    from distill.evaluation.evaluated_model import data_of
    from distill.export.calibrated_file import fit_to_file
    from distill.export.domain_file import StatisticsOfMaps
    from distill.scenes.dataset import made_by

    statistics = StatisticsOfMaps(args.model)
    card = statistics.card
    trained = TrainingImages.parse(card.training_images)
    frames, data = _choose(args, data_of(card), card.class_names, trained, labelled=False)
    scenes = made_by(args.root) if args.root else ""
    words = f"{scenes or data['source']}, {data['split']}"
    return fit_to_file(statistics, frames, words, progress_shown())


def _choose(
    args: argparse.Namespace,
    own: DataConfig | None,
    class_names: Sequence[str],
    trained: TrainingImages | None,
    labelled: bool = True,
) -> tuple[Sequence[Frame], dict[str, Any]]:
    """Return the images to calibrate on, and the entry ``data`` of the calibration file.

    :param own: the data of the model's training, and ``trained`` the images; None: not known.
    """
    from distill.data.evaluation_images import choose_frames, count_trained_on, describe_images

    frames = choose_frames(args, own, class_names, labelled)
    return frames, describe_images(args, own, count_trained_on(trained, frames, TOO_SURE))


def _calibrate(
    args: argparse.Namespace, model: DeployedModel, class_names: Sequence[str], frames: Sequence[Frame]
) -> CalibrationResult:
    """Fit and compare the methods on the images; raises UserError where that cannot be done."""
    from distill.calibration.calibrate import calibrate

    rules = [parse_rule(text, class_names) for text in args.risk]
    try:
        return calibrate(
            model,
            class_names,
            frames,
            args.method or TEMPERATURE,
            args.pixels,
            progress_shown(),
            rules,
            args.unit,
        )
    except ValueError as error:
        raise UserError(f"{args.model} cannot be calibrated: {error}") from error


def _show(
    args: argparse.Namespace, result: CalibrationResult, document: dict[str, Any], failure: UserError | None
) -> int:
    """Print the comparison; return 1 if a rule cannot be promised.

    :param failure: raised after the printing, if anything could not be written.
    """
    from distill.calibration.tables import log_risk, print_result

    if args.json:
        print_json(document)
    else:
        print_result(result)
    status = log_risk(result.risk)
    if failure is not None:
        raise failure
    return status
