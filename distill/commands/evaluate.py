"""``kd_seg evaluate``: all scores of a checkpoint or of an exported model."""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from distill.datasets.options import add_data_options
from kd_seg_ros.common.command_line import add_json_option, print_json
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.logs import progress_shown
from kd_seg_ros.common.model_file import kind_of
from kd_seg_ros.common.option_types import count, image_size, number, percent, positive
from kd_seg_ros.inference.providers import PROVIDERS

if TYPE_CHECKING:
    from distill.evaluation.evaluated_model import EvaluatedModel

LOGGER = logging.getLogger(__name__)

MOST_BINS = 1000
"""Largest number of bins of the ECE; a table is kept for every number up to it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--model",
        type=Path,
        required=True,
        metavar="FILE",
        help="checkpoint of `kd_seg fit`, or ONNX file of `kd_seg export`, which is run as on the vehicle",
    )
    add_data_options(parser, default="the training's own, and its val split", split="val")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="JSON file to write the scores into, with tables next to it (default: next to the model)",
    )
    parser.add_argument(
        "--provider", choices=tuple(PROVIDERS), default="cpu", help="what an ONNX file runs on"
    )
    parser.add_argument(
        "--submission",
        type=Path,
        metavar="DIR",
        help="write the class ids as PNGs, as ACDC's test server takes them; labels are not needed then",
    )
    parser.add_argument(
        "--min-miou",
        type=percent,
        metavar="X",
        help="exit status 1 if the mIoU over all images is below X percent, for automatic checks",
    )
    parser.add_argument("--bins", type=_bins, metavar="N", help="also compute the ECE with 1 to N bins")
    parser.add_argument(
        "--exact-auprc",
        action="store_true",
        help="also compute AUPRC with every score as a threshold; needs 4 bytes per pixel and class",
    )
    views = parser.add_argument_group(
        "test-time augmentation (the mean of the probabilities of several views)"
    )
    views.add_argument("--flip", action="store_true", help="also the mirror image")
    views.add_argument(
        "--scales", type=positive, nargs="+", default=[], metavar="X", help="resized images, e.g. 0.75 1 1.25"
    )
    views.add_argument(
        "--tile",
        type=image_size,
        metavar="HxW",
        help="windows of this size, pixels, in place of the whole image",
    )
    views.add_argument(
        "--overlap",
        type=number,
        default=0.25,
        metavar="X",
        help="least share of a window that the next one overlaps, 0…1, below 1",
    )
    add_json_option(parser)


def _bins(text: str) -> int:
    """Read a number of confidence bins: more would hold less than a pixel of a usual data set each."""
    value = count(text)
    if value > MOST_BINS:
        raise argparse.ArgumentTypeError(f"must be at most {MOST_BINS}, not {text}")
    return value


def run(args: argparse.Namespace) -> int:
    """Measure, print a table and write metrics.json, per_class.csv and images.npz.

    :return: 1 if the mIoU is below ``--min-miou``.
    """
    from distill.common.files import check_destination
    from distill.data.evaluation_images import choose_frames, count_trained_on, describe_images
    from distill.evaluation.domain_scores import DomainScores
    from distill.evaluation.evaluate import check_options, evaluate
    from distill.evaluation.evaluated_model import open_checkpoint, open_onnx
    from distill.evaluation.evaluated_run import TOO_GOOD
    from distill.evaluation.evaluation import ScoreOptions
    from distill.evaluation.metrics_json import FULL, metrics_document, sibling
    from distill.evaluation.risk_scores import RiskScores, check_promises
    from distill.evaluation.run_files import IMAGES, PER_CLASS, write_run
    from distill.evaluation.score_table import print_domain, print_promises, print_scores
    from distill.evaluation.views import Views

    chosen_views = Views.parse(args)
    options = ScoreOptions(args.bins or 0, args.exact_auprc)
    if kind_of(args.model) == "onnx":
        model = open_onnx(args.model, args.provider)
    else:
        model = open_checkpoint(args.model)
    check_options(model, options, chosen_views)
    out = args.out or model.path.with_suffix(".metrics.json")
    for file in (out, sibling(out, IMAGES), sibling(out, PER_CLASS)):
        check_destination(file)
    frames = choose_frames(args, model.data, model.class_names, labelled=args.submission is None)
    trained_on = None
    if frames[0].labels is not None:
        trained_on = count_trained_on(model.training_images, frames, TOO_GOOD)
    root = Path(args.root or args.images or (model.data.root if model.data else "")).expanduser()
    # The thresholds were found for the image as it is: an average over several views has another confidence.
    thresholds = () if chosen_views else model.risk
    risks = RiskScores([threshold.rule for threshold in thresholds], model.class_names)
    # Nor is there a domain distance of several views.
    domain = DomainScores(model.domain) if model.domain and not chosen_views else None
    evaluation = evaluate(
        model, frames, root, options, chosen_views, args.submission, progress_shown(), risks, domain
    )
    if args.submission:
        LOGGER.info("%d predictions written to %s", len(frames), args.submission)
    if frames[0].labels is None:
        return 0

    # Whole paths, so that the report finds the images from whatever folder it is started in.
    data = describe_images(args, model.data, trained_on) | {"root": str(root.absolute())}
    if args.dataset == "folder":
        data |= {"labels": str(args.labels.absolute()), "classes": str(args.classes.absolute())}
    scores = evaluation.summary()
    document = metrics_document(scores, model.class_names, model.about, data, chosen_views.document())
    promises = check_promises(risks, thresholds)
    if promises:
        document["risk"] = promises
    images = evaluation.images()
    if domain is not None:
        document["domain"] = domain.summary()
        images = replace(images, domain_distance=domain.distances())
    failure = None
    try:
        document = write_run(out, document, images)
        LOGGER.info("scores written to %s", out)
    except UserError as error:  # a disk that is full by now: the scores are printed all the same
        failure = error
    if args.json:
        print_json(document)
    else:
        print_scores(scores, model.class_names)
        print_promises(promises)
        print_domain(document.get("domain", {}))
        if trained_on:
            print(f"{trained_on} of the {len(frames)} images were trained on: {TOO_GOOD}")
        _print_notes(model)
    if failure is not None:
        raise failure
    return below(scores[FULL]["miou"], args.min_miou)


def _print_notes(model: EvaluatedModel) -> None:
    """Print what the table of scores lacks, and the calibration in use."""
    if model.predict is None:
        print("the file gives mask and confidence only: no AUPRC, Brier score and NLL")
    method = model.about["calibration"]["method"]
    value = f" {model.about['temperature']:.3f}" if method == "temperature" else ""
    print(f"calibration: {method}{value}")


def below(miou: float | None, least: float | None) -> int:
    """Return the exit status: 1 if a mean IoU is below what was asked for, which is logged; else 0.

    :param miou: 0…1; None: undefined, which is below everything.
    :param least: percent; None: nothing was asked for.
    """
    if least is None or (miou is not None and 100 * miou >= least):
        return 0
    LOGGER.error(
        "mIoU %s %% is below --min-miou %g", "undefined" if miou is None else f"{100 * miou:.2f}", least
    )
    return 1
