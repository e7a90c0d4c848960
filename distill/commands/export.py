"""``kd_seg export``: write a checkpoint as the one ONNX file that the vehicle needs."""

from __future__ import annotations

import argparse
from pathlib import Path

from kd_seg_ros.common.errors import UserError
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
    from distill.export.export_checkpoint import export_checkpoint

    if min(args.height, args.width, args.limit) < 1:
        raise UserError("--height, --width and --limit must be at least 1")
    written = export_checkpoint(
        args.checkpoint,
        args.out,
        (args.height, args.width),
        dynamic=args.dynamic,
        root=args.root,
        images=args.images,
        limit=args.limit,
        provider=args.provider,
    )
    print(written.describe())
    return 0
