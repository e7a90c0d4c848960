"""``kd_seg wrap``: make a vehicle's file of any ONNX network that returns logits."""

from __future__ import annotations

import argparse
from pathlib import Path

from distill.common.class_list import read_classes
from distill.datasets.folder import IMAGENET_MEAN, IMAGENET_STD
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.model_file import require_kind
from kd_seg_ros.common.option_types import count, image_size, number
from kd_seg_ros.inference.providers import PROVIDERS

LARGEST_MULTIPLE = 1024
"""Largest number that --multiple may be: no network has a larger stride."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--model",
        type=Path,
        metavar="FILE",
        help="ONNX file of any network: float32 [1, 3, h, w] in, logits [1, C, h', w'] out",
    )
    source.add_argument(
        "--huggingface",
        type=Path,
        metavar="DIR",
        help="folder of a segmentation network of transformers, as the hub's page holds it",
    )
    parser.add_argument(
        "--classes",
        type=Path,
        metavar="FILE",
        help="YAML file with the classes, in their order (default: those of --huggingface's config.json)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=".onnx file to write")
    parser.add_argument(
        "--mean",
        type=number,
        nargs=3,
        metavar="X",
        help="mean of the colours that the network expects, RGB, 0…1 (default: the folder's, or ImageNet's)",
    )
    parser.add_argument(
        "--std",
        type=number,
        nargs=3,
        metavar="X",
        help="their standard deviation, RGB, 0…1 (default: the folder's, or ImageNet's)",
    )
    parser.add_argument(
        "--scale",
        type=number,
        metavar="X",
        help="the network sees the camera image resized by this factor, 1/16…16 (default: 1, or as "
        "the folder's processor resizes)",
    )
    parser.add_argument(
        "--size",
        type=image_size,
        metavar="HxW",
        help="height and width of the camera image, pixels (default: the network's, divided by --scale)",
    )
    parser.add_argument(
        "--multiple",
        type=count,
        metavar="N",
        help="pad the resized image to multiples of this, the network's largest stride, and crop the result "
        "(default: the first multiples that the network takes)",
    )
    parser.add_argument(
        "--logits",
        metavar="NAME",
        help="which of the network's outputs are the logits (default: the only one)",
    )
    parser.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="check the file on the images of this folder, without labels (default: on noise)",
    )
    parser.add_argument("--limit", type=count, default=20, metavar="N", help="check on N images only")
    parser.add_argument(
        "--provider", choices=tuple(PROVIDERS), default="cpu", help="what the network runs on"
    )


def run(args: argparse.Namespace) -> int:
    """Wrap, check the file against the network alone, and keep it only if they agree."""
    _check(args)
    if args.huggingface is not None:
        return _wrap_huggingface(args)
    from distill.export.wrap_network import wrap_network

    if args.classes is None:
        raise UserError("--model needs --classes FILE: an ONNX file does not name its classes")
    require_kind(args.model, "onnx")
    written = wrap_network(
        args.model,
        read_classes(args.classes),
        args.out,
        mean=tuple(args.mean or IMAGENET_MEAN),
        std=tuple(args.std or IMAGENET_STD),
        scale=args.scale or 1.0,
        size=args.size,
        output=args.logits,
        multiple=args.multiple,
        images=args.images,
        limit=args.limit,
        provider=args.provider,
    )
    print(written.describe())
    return 0


def _wrap_huggingface(args: argparse.Namespace) -> int:
    from distill.export.wrap_huggingface import wrap_huggingface

    if args.logits or args.multiple:
        raise UserError("--logits and --multiple belong to --model: a folder says both itself")
    written = wrap_huggingface(
        args.huggingface,
        args.out,
        classes=read_classes(args.classes) if args.classes else None,
        mean=args.mean,
        std=args.std,
        scale=args.scale,
        size=args.size,
        images=args.images,
        limit=args.limit,
        provider=args.provider,
    )
    print(written.describe())
    return 0


def _check(args: argparse.Namespace) -> None:
    if args.scale is not None and not 1 / 16 <= args.scale <= 16:
        raise UserError(f"--scale must be within 1/16…16, not {args.scale:g}")
    if args.multiple is not None and args.multiple > LARGEST_MULTIPLE:
        raise UserError(f"--multiple must be within 1…{LARGEST_MULTIPLE}, not {args.multiple}")
    if args.std is not None and min(args.std) <= 0:
        raise UserError("--std must be three numbers above 0")
    if max((*(args.mean or ()), *(args.std or ())), default=0) > 1:
        raise UserError("--mean and --std are of colours in 0…1: divide those of colours in 0…255 by 255")
