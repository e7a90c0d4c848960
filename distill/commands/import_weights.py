"""``kd_seg import``: make a checkpoint of weights that another repository publishes."""

from __future__ import annotations

import argparse
from pathlib import Path

from distill.common.class_list import read_classes
from distill.datasets.registry import DATA_SETS
from distill.models.catalogue import MODELS, SWIFTNET
from kd_seg_ros.common.classes import CLASS_NAMES
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.option_types import number

CITYSCAPES = "cityscapes"
"""What --classes takes in place of a file for the 19 classes of Cityscapes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="weights file, .pth, .pt, .ckpt, .bin or .safetensors"
    )
    parser.add_argument(
        "--network",
        required=True,
        metavar="NAME",
        help=f"network that the weights are for: {SWIFTNET} with --backbone, or one of {', '.join(MODELS)}",
    )
    parser.add_argument(
        "--backbone",
        metavar="NAME",
        help=f"for --network {SWIFTNET}: timm's name of its backbone, convnext_base for example",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=".ckpt file to write")
    parser.add_argument(
        "--classes",
        type=Path,
        metavar="FILE",
        help="YAML file with the classes, in their order, or the word cityscapes (default: those that the "
        "file names; the 19 of Cityscapes for a network of 19)",
    )
    parser.add_argument(
        "--mean",
        type=number,
        nargs=3,
        metavar="X",
        help="mean of the colours that the network expects, RGB, 0…1 (default: that of its repository)",
    )
    parser.add_argument(
        "--std",
        type=number,
        nargs=3,
        metavar="X",
        help="their standard deviation, RGB, 0…1 (default: that of its repository)",
    )
    parser.add_argument(
        "--scale",
        type=number,
        default=1.0,
        metavar="X",
        help="the network sees the camera image resized by this factor, 1/16…16",
    )
    parser.add_argument(
        "--dataset",
        choices=DATA_SETS,
        help="kind of data set that the checkpoint is measured on later (default: cityscapes)",
    )
    parser.add_argument("--root", type=Path, metavar="DIR", help="folder of that data set")
    parser.add_argument(
        "--allow-missing",
        nargs="+",
        choices=("head", "auxiliary"),
        default=[],
        help="heads that keep random weights where the file has none that fit: the classifier, or those of "
        "training alone",
    )


def run(args: argparse.Namespace) -> int:
    """Translate, fill the network, and write the checkpoint; say what was not used and what is random."""
    from distill.imports.import_weights import ImportOptions, import_weights, shown

    _check(args)
    options = ImportOptions(
        class_names=_classes(args.classes),
        mean=args.mean,
        std=args.std,
        scale=args.scale,
        dataset=args.dataset,
        root=str(args.root) if args.root else None,
        allowed=args.allow_missing,
    )
    done = import_weights(args.file, args.network, args.out, options, args.backbone)
    data = done.config.data
    print(
        f"{done.path}: {args.network}, {len(data.class_names)} classes, {done.tensors} tensors of {args.file}"
    )
    print(f"mean {_rounded(data.mean)}, std {_rounded(data.std)}, working scale {data.working_scale:g}")
    if done.idle:
        print(f"not used, {len(done.idle)} tensors of the file: {shown(done.idle)}")
    if done.random:
        print(f"RANDOM, {len(done.random)} tensors that the file does not hold: {shown(done.random)}")
    print(f"next: kd_seg evaluate --model {done.path}; kd_seg calibrate and kd_seg export likewise")
    return 0


def _classes(path: Path | None) -> tuple[str, ...] | None:
    if path is None:
        return None
    if str(path) == CITYSCAPES and not path.is_file():
        return CLASS_NAMES
    return tuple(read_classes(path))


def _rounded(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:.4g}" for value in values) + ")"


def _check(args: argparse.Namespace) -> None:
    if not 1 / 16 <= args.scale <= 16:
        raise UserError(f"--scale must be within 1/16…16, not {args.scale:g}")
    if args.std is not None and min(args.std) <= 0:
        raise UserError("--std must be three numbers above 0")
    if max((*(args.mean or ()), *(args.std or ())), default=0) > 1:
        raise UserError("--mean and --std are of colours in 0…1: divide those of colours in 0…255 by 255")
