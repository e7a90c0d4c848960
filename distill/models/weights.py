"""ImageNet weights for a backbone, from timm's hub or from a local file; never by unpickling.

A file must fit as a whole: it holds every tensor of the backbone in its shape, and no tensor that is unknown.
``strict=False`` loads what fits and warns of the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from kd_seg_ros.common.errors import UserError, first_line

_logger = logging.getLogger(__name__)

NAMES_SHOWN = 5
"""So many tensors of each kind are named in a message."""


@dataclass(frozen=True)
class Pretrained:
    """Where a backbone's weights come from."""

    source: bool | str = False
    """``True``: timm's hub; a path: that ``.safetensors`` or ``.pth`` file; ``False``: random weights."""
    strict: bool = True
    """Refuse a file that does not fit as a whole."""


RANDOM = Pretrained()


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


def hub_state_dict(name: str) -> dict[str, Tensor]:
    """Fetch the weights of timm's model ``name`` from its hub.

    :raises UserError: if that fails, naming the file to fetch and the option that takes it.
    """
    try:
        return timm.create_model(name, pretrained=True).state_dict()
    except Exception as error:  # the hub raises many kinds; the remedy is the same
        raise UserError(
            f"weights of {name!r} could not be fetched from timm's hub ({first_line(error)}); "
            f"fetch {_hub_file(name)} elsewhere and give it by --student.pretrained FILE "
            "(a .safetensors or .pth file)"
        ) from error


def load_tensors(
    module: nn.Module,
    state: dict[str, Tensor],
    what: str,
    strict: bool = True,
    optional: Collection[str] = (),
    remedy: str = "; --student.strict false loads what fits",
) -> None:
    """Load tensors into ``module`` by name.

    :param what: names the module in messages.
    :param strict: otherwise load what fits, and warn of the rest.
    :param optional: names that ``module`` does not have and that may be there all the same, e.g. those
        of a classifier's head.
    :param remedy: what an error advises where some of the tensors fit.
    :raises UserError: naming the missing, misshapen and unexpected tensors; always, if nothing fits.
    """
    wanted = {k: v for k, v in module.state_dict().items() if not k.endswith("num_batches_tracked")}
    faults = {
        "missing": [k for k in wanted if k not in state],
        "of another shape": [
            f"{k} {list(state[k].shape)} for {list(v.shape)}"
            for k, v in wanted.items()
            if k in state and state[k].shape != v.shape
        ],
        "unexpected": [
            k
            for k in state
            if k not in wanted and k not in optional and not k.endswith("num_batches_tracked")
        ],
    }
    damaged = [k for k in wanted if k in state and not _finite(state[k])]
    if damaged:
        raise UserError(f"weights for {what} hold NaN or infinity in {_some(damaged)}: fetch the file again")
    found = {k: state[k] for k, v in wanted.items() if k in state and state[k].shape == v.shape}
    report = "; ".join(f"{len(names)} {kind} ({_some(names)})" for kind, names in faults.items() if names)
    if report and (strict or not found):
        raise UserError(f"weights for {what} do not fit: {report}{remedy if found else ''}")
    if report:
        _logger.warning("weights for %s loaded in part: %s", what, report)
    module.load_state_dict(found, strict=False)


def _finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())


def _some(names: list[str]) -> str:
    """Name the first few."""
    more = f", and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more


def _hub_file(name: str) -> str:
    """Say which file the hub would have served."""
    config = timm.get_pretrained_cfg(name)
    if config is None or not config.hf_hub_id:
        return f"timm's weights of {name!r}"
    return f"model.safetensors of {config.hf_hub_id} (Hugging Face)"
