"""``kd_seg export``: write a checkpoint as the one ONNX file that the vehicle needs."""

from __future__ import annotations

import argparse
from pathlib import Path

from distill.export.time_limit import TRACING_SECONDS
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.model_file import require_kind
from kd_seg_ros.common.option_types import count, image_size, positive
from kd_seg_ros.inference.providers import PROVIDERS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--model", type=Path, required=True, metavar="FILE", help="checkpoint, as `kd_seg fit` writes it"
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


def run(args: argparse.Namespace) -> int:
    """Export, check the file against the network in PyTorch, and keep it only if they agree."""
    from distill.export.export_checkpoint import export_checkpoint

    if args.trace_limit and not args.dynamic:
        raise UserError("--trace-limit belongs to --dynamic: tracing for one size always ends")
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
