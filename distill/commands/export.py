"""``python -m distill export``: write a checkpoint as the one ONNX file that the vehicle needs."""

from __future__ import annotations

import argparse
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from distill.checkpoints.stored_calibration import UNCALIBRATED, calibration_of, read_calibration_document
from distill.checkpoints.student import deployed, load_student
from distill.common.palette import palette
from distill.config import Config
from distill.data.from_config import relocated
from distill.export.agreement import labelled_images, plain_images
from distill.export.trace import to_dynamic_onnx, to_onnx
from distill.export.verified_export import check_destination, write_checked
from distill.models.logit_calibration import NONE
from kd_seg_ros import __version__
from kd_seg_ros.common.classes import IGNORE_ID
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.providers import PROVIDERS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--checkpoint", type=Path, required=True, help="a .ckpt of `fit`")
    parser.add_argument("--out", type=Path, required=True, help="the .onnx file to write")
    parser.add_argument("--height", type=int, default=1080, help="of the camera image (default: %(default)s)")
    parser.add_argument("--width", type=int, default=1920, help="of the camera image (default: %(default)s)")
    parser.add_argument(
        "--dynamic",
        action="store_true",
        help="a file for images of any size; --height and --width are those it is checked with",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--root", type=Path, help="check on this data's val split (default: the training's)")
    source.add_argument("--images", type=Path, help="check on the images of this folder, without labels")
    parser.add_argument("--limit", type=int, default=20, help="images to check on (default: %(default)s)")
    parser.add_argument(
        "--provider", choices=PROVIDERS, default="cpu", help="to check on (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Export, check the file against the network in PyTorch, and keep it only if they agree."""
    if min(args.height, args.width, args.limit) < 1:
        raise UserError("--height, --width and --limit must be at least 1")
    check_destination(args.out)
    network, config = load_student(args.checkpoint)
    document = read_calibration_document(args.checkpoint)
    if document is None:
        print("warning: not calibrated; run `python -m distill calibrate` first for an honest confidence")
    images = (
        plain_images(args.images, args.limit)
        if args.images
        else labelled_images(relocated(config.data, args.root), args.limit)
    )

    model = deployed(network, config, calibration_of(document) if document else NONE)
    size = (args.height, args.width)
    card = make_card(config, document, size, network.deployed_parameters())
    proto = to_dynamic_onnx(model) if args.dynamic else to_onnx(model, size)
    write_checked(proto, card, args.out, model, images, args.provider)
    return 0


def make_card(
    config: Config, calibrated: dict[str, Any] | None, size: tuple[int, int], parameters: int
) -> ModelCard:
    """Collect what the vehicle must know about a network.

    :param calibrated: what :func:`~distill.checkpoints.stored_calibration.read_calibration_document` gives.
    """
    card = ModelCard(
        name=config.name,
        class_names=config.data.class_names,
        palette=palette(config.data.class_names),
        ignore_id=IGNORE_ID,
        height=size[0],
        width=size[1],
        working_scale=config.data.working_scale,
        mean=config.data.mean,
        std=config.data.std,
        temperature=1.0,
        parameters=parameters,
        dataset=config.data.summary,
        limitations=config.data.limitations,
        package_version=__version__,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        config=config.model_dump(mode="json"),
        config_hash=config.digest(),
    )
    if calibrated is None:
        return card
    scores, method = calibrated["scores"], calibrated["method"]
    return replace(
        card,
        temperature=calibration_of(calibrated).temperature,
        calibration={"method": method, "parameters": calibrated["parameters"]},
        miou=_known(calibrated["miou"]),
        ece_before=_by_condition(scores[UNCALIBRATED], "ece"),
        ece_after=_by_condition(scores[method], "ece"),
        reliability={condition: s["reliability"] for condition, s in scores[method].items()},
        expected_accuracy=calibrated["expected_accuracy"],
    )


def _by_condition(scores: dict[str, dict[str, Any]], key: str) -> dict[str, float]:
    return _known({condition: s[key] for condition, s in scores.items()})


def _known(values: dict[str, float | None]) -> dict[str, float]:
    return {condition: value for condition, value in values.items() if value is not None}
