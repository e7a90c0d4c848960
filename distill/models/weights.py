"""ImageNet weights for a backbone, from timm's hub or from a local file."""

from __future__ import annotations

from pathlib import Path

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from kd_seg_ros.errors import UserError, first_line


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a ``.safetensors`` or ``.pth`` file; never unpickles anything else.

    :raises UserError: if the file is missing or holds something other than tensors.
    """
    if not path.is_file():
        raise UserError(f"weights file {path} does not exist")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise UserError(f"weights file {path} cannot be read: {first_line(error)}") from error
    except Exception as error:  # pickle.UnpicklingError and its relatives: no plain tensors
        raise UserError(f"weights file {path} holds more than tensors and is not loaded") from error
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise UserError(f"weights file {path} is no dictionary of tensors")
    return state


def load_weights(network: nn.Module, name: str, path: Path | None) -> None:
    """Load classifier weights into timm's feature network, from ``path`` or from timm's hub.

    Tensors that only the classifier has are left out; anything missing or of another shape is refused.

    :raises UserError: if the hub cannot be reached, naming the option that takes a local file.
    """
    if path is None:
        try:
            state = timm.create_model(name, pretrained=True).state_dict()
        except Exception as error:  # the hub raises many kinds; the remedy is the same
            raise UserError(
                f"weights of {name!r} could not be fetched from timm's hub ({first_line(error)}); "
                "give a local .safetensors or .pth file instead: --student.pretrained FILE"
            ) from error
    else:
        state = read_state_dict(path)
    flat = _flattened(state, network)
    missing = [key for key in network.state_dict() if key not in flat]
    missing = [key for key in missing if not key.endswith("num_batches_tracked")]
    wrong = [k for k, v in network.state_dict().items() if k in flat and flat[k].shape != v.shape]
    if missing or wrong:
        names = ", ".join([*missing, *wrong][:5])
        raise UserError(
            f"weights for {name!r} do not fit: {len(missing)} tensors missing, "
            f"{len(wrong)} of another shape (first: {names})"
        )
    network.load_state_dict(flat, strict=False)


def _flattened(state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Rename timm's classifier keys to those of its features_only wrapper (``stages.0`` → ``stages_0``)."""
    wanted = network.state_dict().keys()
    renamed: dict[str, Tensor] = {}
    for key, value in state.items():
        head, _, rest = key.partition(".")
        index, _, tail = rest.partition(".")
        for candidate in (key, f"{head}_{index}.{tail}"):
            if candidate in wanted:
                renamed[candidate] = value
    return renamed
