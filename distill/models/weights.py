"""ImageNet weights for a backbone, from timm's hub or from a local file; never by unpickling.

A file must fit as a whole: it holds every tensor of the backbone in its shape, and no tensor that is unknown.
``strict=False`` loads what fits and warns of the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from distill.common.torch_file import ZIP, damage
from distill.models.state_dict import tensors_of
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

    They may lie under a key such as ``state_dict``, or be wrapped, see :mod:`distill.models.state_dict`.
    Every byte of a file of today's torch.save is checked; the older format and safetensors hold no checksums.

    :raises UserError: if the file is missing, damaged or holds something other than tensors.
    """
    source = f"weights file {path}"
    if not path.is_file():
        raise UserError(f"{source} {'is a folder' if path.is_dir() else 'does not exist'}")
    content: Any
    try:
        if path.suffix.lower() == ".safetensors":
            content = load_file(path)
        else:
            with path.open("rb") as file:
                archive = file.read(len(ZIP)) == ZIP
            problem = damage(path) if archive else None
            if problem is not None:
                raise UserError(f"{source} {problem}: fetch the file again, or take another")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except (SafetensorError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise UserError(f"{source} cannot be read: {first_line(error)}") from error
    except Exception as error:  # pickle.UnpicklingError and its relatives: no plain tensors
        raise UserError(f"{source} holds more than tensors and is not loaded") from error
    if isinstance(content, dict) and "hyper_parameters" in content and "state_dict" in content:
        raise UserError(f"{source} is a checkpoint of `kd_seg fit`: give it by --student.checkpoint")
    return tensors_of(content, source)


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
    fault, found = misfit(module, state, what, optional)
    if fault and (strict or not found):
        raise UserError(f"weights for {what} do not fit: {fault}{remedy if found else ''}")
    if fault:
        _logger.warning("weights for %s loaded in part: %s", what, fault)
    module.load_state_dict(found, strict=False)


def misfit(
    module: nn.Module, state: dict[str, Tensor], what: str, optional: Collection[str] = ()
) -> tuple[str, dict[str, Tensor]]:
    """Return which tensors do not fit into ``module``, in words, and those that do.

    :param what: names the module in messages, and ``optional`` are names that may be there all the same.
    :raises UserError: if a tensor that fits holds NaN or infinity, as a damaged file's does.
    """
    wanted = {k: v for k, v in module.state_dict().items() if not k.endswith("num_batches_tracked")}
    faults = {
        "missing": [k for k in wanted if k not in state],
        "of another shape": [
            f"{k} {list(state[k].shape)} for {list(v.shape)}"
            for k, v in wanted.items()
            if k in state and state[k].shape != v.shape
        ],
        "of another type": [
            f"{k} {state[k].dtype} for {v.dtype}"
            for k, v in wanted.items()
            if k in state and state[k].is_floating_point() != v.is_floating_point()
        ],
        "unexpected": [
            k
            for k in state
            if k not in wanted and k not in optional and not k.endswith("num_batches_tracked")
        ],
    }
    found = {}
    for name, value in wanted.items():
        given = state.get(name)
        if given is None or given.shape != value.shape:
            continue
        if given.is_floating_point() == value.is_floating_point():
            found[name] = given
    damaged = [name for name, tensor in found.items() if not _finite(tensor, wanted[name].dtype)]
    if damaged:
        raise UserError(
            f"weights for {what} hold NaN or infinity in {_some(damaged)}: the file is damaged, or its "
            "training has diverged; take another"
        )
    return "; ".join(
        f"{len(names)} {kind} ({_some(names)})" for kind, names in faults.items() if names
    ), found


def _finite(tensor: Tensor, dtype: torch.dtype) -> bool:
    """Say whether all values are finite in the type that they will have."""
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor.to(dtype)).all())


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
