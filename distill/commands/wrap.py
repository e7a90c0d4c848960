"""``kd_seg wrap``: make a vehicle's file of any ONNX network that returns logits."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from distill.common.class_list import read_classes
from distill.datasets.folder import IMAGENET_MEAN, IMAGENET_STD
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.providers import PROVIDERS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--onnx", type=Path, required=True, help="float [1, 3, h, w] in, logits [1, C, h', w'] out"
    )
    parser.add_argument("--classes", type=Path, required=True, help="YAML file with the classes, in order")
    parser.add_argument("--out", type=Path, required=True, help="the .onnx file to write")
    parser.add_argument(
        "--mean",
        type=float,
        nargs=3,
        default=IMAGENET_MEAN,
        metavar="X",
        help="RGB, 0…1 (default: ImageNet's)",
    )
    parser.add_argument(
        "--std", type=float, nargs=3, default=IMAGENET_STD, metavar="X", help="RGB, 0…1 (default: ImageNet's)"
    )
    parser.add_argument(
        "--scale",
        type=float,
        default=1.0,
        help="the network sees the camera image resized by this factor (default: %(default)s)",
    )
    parser.add_argument("--height", type=int, help="of the camera image (default: the network's / scale)")
    parser.add_argument("--width", type=int, help="of the camera image")
    parser.add_argument("--output", metavar="NAME", help="the network's logits, if it has other outputs too")
    parser.add_argument("--images", type=Path, help="check on the images of this folder (default: on noise)")
    parser.add_argument("--limit", type=int, default=20, help="images to check on (default: %(default)s)")
    parser.add_argument(
        "--provider", choices=PROVIDERS, default="cpu", help="to check on (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Wrap, check the file against the network alone, and keep it only if they agree."""
    from distill.export.wrap_network import wrap_network

    _check(args)
    written = wrap_network(
        args.onnx,
        read_classes(args.classes),
        args.out,
        mean=tuple(args.mean),
        std=tuple(args.std),
        scale=args.scale,
        size=(args.height, args.width) if args.height else None,
        output=args.output,
        images=args.images,
        limit=args.limit,
        provider=args.provider,
    )
    print(written.describe())
    return 0


def _check(args: argparse.Namespace) -> None:
    if (args.height is None) != (args.width is None):
        raise UserError("--height and --width belong together")
    if min(args.height or 1, args.width or 1, args.limit) < 1:
        raise UserError("--height, --width and --limit must be at least 1")
    if not 1 / 16 <= args.scale <= 16:
        raise UserError(f"--scale must be within 1/16…16, not {args.scale:g}")
    if not all(math.isfinite(value) for value in (*args.mean, *args.std)):
        raise UserError("--mean and --std must be three numbers each")
    if min(args.std) <= 0:
        raise UserError("--std must be three numbers above 0")
    if max(*args.mean, *args.std) > 1:
        raise UserError("--mean and --std are of colours in 0…1: divide those of colours in 0…255 by 255")
