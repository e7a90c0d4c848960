"""The tensors of a file of weights, whoever has written it: found, renamed and checked before use.

Training scripts put the tensors into the file as they are, or under a key such as ``state_dict``; wrappers of
PyTorch put ``module.`` (DistributedDataParallel) or ``_orig_mod.`` (torch.compile) into every name.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor

from kd_seg_ros.common.errors import UserError

_logger = logging.getLogger(__name__)

AVERAGED: Final = ("state_dict_ema", "model_ema", "ema_state_dict", "ema")
"""Keys under which a file holds the moving average of the weights, the one to deploy."""
CURRENT: Final = ("state_dict", "model_state_dict", "model", "network", "weights")
"""Keys under which a file holds the weights of the last step."""

_DEEPEST: Final = 3
"""So many keys are followed until the tensors are found."""
_WRAPPERS: Final = ("module", "_orig_mod")
"""Parts of names that wrappers of PyTorch put in; no network here has such a part."""


def tensors_of(content: Any, source: str) -> dict[str, Tensor]:
    """Return the tensors of a file by name, without the wrappers' parts of names; log which were chosen.

    :param content: what the file holds.
    :param source: names the file in errors, such as "weights file x.pth".
    :raises UserError: if it holds no tensors, or some that no network can be filled with.
    """
    found = _find(content, source)
    tensors: dict[str, Tensor] = {}
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise UserError(
                f"{source} is no dictionary of tensors: it has {name!r:.60}, a {_kind_name(value)}"
            )
        odd = odd_kind(value)
        if odd:
            raise UserError(f"{source}: {name} is {odd}, not a plain tensor of numbers")
        bare = ".".join(part for part in name.split(".") if part not in _WRAPPERS)
        if bare in tensors:
            raise UserError(f"{source} holds {bare} twice, once under the name of a wrapper")
        tensors[bare] = value
    if not tensors:
        raise UserError(f"{source} holds no tensors")
    return tensors


def without_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return tensors without a prefix if all their names have it, otherwise as they are."""
    if all(name.startswith(prefix) for name in tensors):
        return {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors


def odd_kind(tensor: Tensor) -> str:
    """Return what makes a tensor unfit to be a weight, such as "sparse"; empty for a usual one."""
    if tensor.is_meta:
        return "on the device 'meta', without values"
    if tensor.is_quantized:
        return "quantised"
    if tensor.is_nested or tensor.layout != torch.strided:
        return "sparse"
    if tensor.is_complex():
        return "complex"
    return ""


def _find(content: Any, source: str) -> Mapping[Any, Any]:
    """Return the dictionary of tensors in a file's content, following the usual keys; raises UserError."""
    for _ in range(_DEEPEST):
        if not isinstance(content, Mapping):
            raise UserError(f"{source} is no dictionary of tensors, but a {_kind_name(content)}")
        if any(isinstance(value, Tensor) for value in content.values()):
            return content
        nested = [key for key in (*AVERAGED, *CURRENT) if isinstance(content.get(key), Mapping)]
        if not nested:
            return content
        if nested[0] in AVERAGED and nested[-1] in CURRENT:
            _logger.info("%s: the averaged weights are taken (%s), not %s", source, nested[0], nested[-1])
        content = content[nested[0]]
    return content if isinstance(content, Mapping) else {}


def _kind_name(value: Any) -> str:
    """Return the name of a value's type for a person."""
    return "tensor" if isinstance(value, Tensor) else type(value).__name__
