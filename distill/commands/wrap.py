"""``python -m distill wrap``: make a vehicle's file of any ONNX network that returns logits."""

from __future__ import annotations

import argparse
import hashlib
import math
from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np

from distill.common.class_list import read_classes
from distill.export.agreement import Pair, plain_images
from distill.export.external_onnx import OutsideNetwork, open_network
from distill.export.interpolation import Upsampling, bilinear
from distill.export.surround import shape_of, surround
from distill.export.verified_export import check_destination, write_checked
from distill.models.deployed import DeployedModel
from kd_seg_ros import __version__
from kd_seg_ros.common.classes import IGNORE_ID
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.files import sha256
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.providers import PROVIDERS

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NOISE_IMAGES = 4
LIMITATIONS = "A network from elsewhere: its accuracy and calibration were not measured by this software."


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
    check_destination(args.out)
    _check(args)
    classes = read_classes(args.classes)
    size = (args.height, args.width) if args.height else None
    network = open_network(args.onnx, len(classes), size, args.scale, args.output)
    working = _sides(shape_of(network.proto.graph.input[0]))
    size = size or _image_size(working, args)
    low = _sides(shape_of(network.proto.graph.output[0]))
    # As DeployedModel does it: first to what the network saw, then to the image.
    rows, columns = (
        bilinear(seen, image) @ bilinear(few, seen)
        for few, seen, image in zip(low, working, size, strict=True)
    )
    proto = surround(network.proto, args.mean, args.std, Upsampling(rows, columns))
    model = DeployedModel(network.module, args.mean, args.std, args.scale).eval()
    images = (
        plain_images(args.images, args.limit) if args.images else noise(size, min(args.limit, NOISE_IMAGES))
    )
    card = make_card(args, network, classes, size)
    write_checked(proto, card, args.out, model, images, args.provider, f"{args.onnx.name} itself")
    return 0


def make_card(
    args: argparse.Namespace,
    network: OutsideNetwork,
    classes: dict[str, tuple[int, int, int]],
    size: tuple[int, int],
) -> ModelCard:
    """Collect what the vehicle must know, as far as it is known."""
    digest = sha256(args.onnx)
    return ModelCard(
        name=args.onnx.stem,
        class_names=tuple(classes),
        palette=tuple(classes.values()),
        ignore_id=IGNORE_ID,
        height=size[0],
        width=size[1],
        working_scale=args.scale,
        mean=tuple(args.mean),
        std=tuple(args.std),
        temperature=1.0,
        parameters=network.parameters,
        dataset=f"unknown: {args.onnx.name} was made elsewhere",
        limitations=LIMITATIONS,
        package_version=__version__,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        config={"wrapped": args.onnx.name, "sha256": digest},
        config_hash=hashlib.sha256(digest.encode()).hexdigest(),
    )


def noise(size: tuple[int, int], count: int) -> list[Pair]:
    """Make images [H, W, 3] of random colours that change over some 30 pixels."""
    rng = np.random.default_rng(0)
    coarse = (max(2, size[0] // 30), max(2, size[1] // 30), 3)
    images = [rng.integers(0, 256, coarse, dtype=np.uint8) for _ in range(count)]
    return [
        (np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_CUBIC), np.uint8), None)
        for image in images
    ]


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


def _image_size(working: tuple[int, int], args: argparse.Namespace) -> tuple[int, int]:
    """Return the camera's size for a network of a fixed one."""
    size = (round(working[0] / args.scale), round(working[1] / args.scale))
    if (round(size[0] * args.scale), round(size[1] * args.scale)) != working:
        raise UserError(
            f"no image has {working[0]}×{working[1]} at --scale {args.scale:g}: give another, or let "
            "--height and --width fit"
        )
    return size


def _sides(shape: list[int]) -> tuple[int, int]:
    return shape[-2], shape[-1]
