"""``kd_seg export``: write a checkpoint as the one ONNX file that the vehicle needs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from distill.export.time_limit import TRACING_SECONDS
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.model_file import kind_of, require_kind
from kd_seg_ros.common.option_types import count, image_size, positive, whole
from kd_seg_ros.inference.providers import PROVIDERS

IMAGES: Final = 32
"""Number of images that ranges for INT8 are measured on, unless another is given."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--model",
        type=Path,
        required=True,
        metavar="FILE",
        help="checkpoint, as `kd_seg fit` writes it; with --int8 also an ONNX file of `kd_seg export`",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=".onnx file to write")
    parser.add_argument(
        "--size",
        type=image_size,
        metavar="HxW",
        help="height and width of the camera image, pixels (default: those of the images it is checked on)",
    )
    parser.add_argument(
        "--dynamic",
        action="store_true",
        help="write a file that takes images of any size; it is checked at --size",
    )
    parser.add_argument(
        "--batch",
        action="store_true",
        help="write a file whose network takes any number of images per run, for several cameras that share "
        "it (parameter batch of the node)",
    )
    parser.add_argument(
        "--trace-limit",
        type=positive,
        metavar="S",
        help="with --dynamic: give up tracing after S seconds of processor time, since for some networks it "
        f"does not end (default: {TRACING_SECONDS:g})",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--root",
        type=Path,
        metavar="DIR",
        help="check the file on the val split of this data set's folder (default: the training's)",
    )
    source.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="check the file on the images of this folder, without labels",
    )
    parser.add_argument("--limit", type=count, default=20, metavar="N", help="check on N images only")
    parser.add_argument(
        "--provider", choices=tuple(PROVIDERS), default="cpu", help="what the network runs on"
    )
    int8 = parser.add_argument_group("INT8, for processors without a large GPU")
    int8.add_argument(
        "--int8",
        action="store_true",
        help="compute in 8-bit integers where that keeps the classes; see docs/models.md for what it gains",
    )
    int8.add_argument(
        "--calibration-images",
        type=Path,
        metavar="DIR",
        help="measure the ranges of the network's maps on the images of this folder (default: on the "
        "training split of its data set)",
    )
    int8.add_argument(
        "--calibration-count", type=count, metavar="N", help=f"on so many of them (default: {IMAGES})"
    )
    int8.add_argument(
        "--calibration-seed", type=whole, metavar="N", help="the same seed draws the same images (default: 0)"
    )


def run(args: argparse.Namespace) -> int:
    """Export, check the file against the network in PyTorch, and keep it only if they agree."""
    from distill.export.export_checkpoint import export_checkpoint

    if args.trace_limit and not args.dynamic:
        raise UserError("--trace-limit belongs to --dynamic: tracing for one size always ends")
    if args.int8:
        return _run_int8(args)
    for option in ("calibration_images", "calibration_count", "calibration_seed"):
        if getattr(args, option) is not None:
            raise UserError(f"--{option.replace('_', '-')} belongs to --int8")
    require_kind(args.model, "checkpoint")
    written = export_checkpoint(
        args.model,
        args.out,
        args.size,
        dynamic=args.dynamic,
        batch=args.batch,
        root=args.root,
        images=args.images,
        limit=args.limit,
        provider=args.provider,
        trace_limit=args.trace_limit or TRACING_SECONDS,
    )
    print(written.describe())
    return 0


def _run_int8(args: argparse.Namespace) -> int:
    """Export in INT8, as :func:`run` does in half precision."""
    from distill.export.export_int8 import CalibrationImages, export_int8

    if args.batch:
        raise UserError("--int8 is for one image per run: leave out --batch, or --int8")
    if args.dynamic:
        raise UserError("--int8 is for images of one size: leave out --dynamic, and give the camera's --size")
    if args.size and kind_of(args.model) == "onnx":
        raise UserError("--size belongs to a checkpoint: an ONNX file has its size already")
    images = CalibrationImages(
        args.calibration_images,
        args.calibration_count or IMAGES,
        args.calibration_seed or 0,
    )
    written = export_int8(
        args.model,
        args.out,
        args.size,
        calibration=images,
        root=args.root,
        images=args.images,
        limit=args.limit,
        provider=args.provider,
    )
    print(written.describe())
    return 0
