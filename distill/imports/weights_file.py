"""Reads the tensors of a weights file that somebody else has written, and the class names if it holds them.

Nothing is unpickled: ``torch.load`` reads tensors, plain data and a few harmless types that published
checkpoints hold next to them (numbers of NumPy, command-line options). A file that holds anything else is
refused by the names of what it holds.
"""

from __future__ import annotations

import argparse
import codecs
import pathlib
import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from kd_seg_ros.common.errors import UserError, first_line

TENSORS: Final = ("state_dict", "model_state_dict", "model_state", "model", "net", "weights")
"""Keys under which training programs put the tensors of a network, in the order in which they are tried."""

WRAPPERS: Final = re.compile(r"^((module|model|_orig_mod)\.)+")
"""What DataParallel, a module around network and loss, Lightning and torch.compile put before every name."""

OURS: Final = "student."
"""What every tensor of a checkpoint of this project begins with."""

COUNTER: Final = "num_batches_tracked"
"""A BatchNorm's count of its batches, which no network here needs."""


@dataclass(frozen=True)
class WeightsFile:
    """The content of a weights file."""

    tensors: Mapping[str, Tensor]
    """The tensors by name, without what wrappers put before the names, and without counters of batches."""
    class_names: tuple[str, ...] | None
    """The classes in the order of the channels, where the file says them (mmseg's ``meta``)."""


def read_weights_file(path: Path) -> WeightsFile:
    """Read a ``.safetensors`` file, or what ``torch.save`` has written, onto the CPU.

    :raises UserError: if it is missing or damaged, a checkpoint of this project, holds objects that would
        have to be unpickled, or no tensors.
    """
    if not path.is_file():
        raise UserError(f"weights file {path} {'is not a file' if path.exists() else 'does not exist'}")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    found = tensors_in(content)
    if not found:
        raise UserError(f"weights file {path} is no dictionary of tensors")
    if all(name.startswith(OURS) for name in found):
        raise UserError(f"{path} is a checkpoint of this project already: use it as it is")
    tensors: dict[str, Tensor] = {}
    for name, tensor in found.items():
        plain = WRAPPERS.sub("", name)
        if plain in tensors:
            raise UserError(f"weights file {path} holds two tensors {plain!r}, once as {name!r}")
        if not plain.endswith(COUNTER):
            tensors[plain] = tensor
    return WeightsFile(tensors, _class_names(content))


def tensors_in(content: Any) -> dict[str, Tensor]:
    """Return the tensors of a file by name: those under one of :data:`TENSORS`, or else at the top."""
    if not isinstance(content, Mapping):
        return {}
    for key in TENSORS:
        if isinstance(content.get(key), Mapping):
            content = content[key]
            break
    return {str(name): value for name, value in content.items() if isinstance(value, Tensor)}


def _read_safetensors(path: Path) -> Any:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"weights file {path} cannot be read: {first_line(error)}") from error


def _read_torch(path: Path) -> Any:
    try:
        with torch.serialization.safe_globals(_harmless()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"weights file {path} holds {_foreign(path, error)} besides tensors, and nothing is unpickled "
            "here: where you trust it, keep its tensors alone with "
            "torch.save(torch.load(FILE, weights_only=False)['state_dict'], NEW_FILE)"
        ) from error
    except Exception as error:  # zipfile and torch raise many kinds for a damaged file
        raise UserError(f"weights file {path} cannot be read: {first_line(error)}") from error


def _foreign(path: Path, error: Exception) -> str:
    """Name the types in a file that are not read."""
    try:
        with torch.serialization.safe_globals(_harmless()):
            names = sorted(torch.serialization.get_unsafe_globals_in_checkpoint(str(path)))
    except Exception:  # a file of before PyTorch 1.6 is no zip archive and cannot be listed
        names = re.findall(r"GLOBAL (\S+)", str(error))[:1]
    return ", ".join(names) or "objects"


def _harmless() -> list[Any]:
    """Return the types that are read in addition to PyTorch's own list, by the names they have in files.

    They hold values and do nothing when they are made: numbers and arrays of NumPy under the names of NumPy 1
    and 2, the options of a command line, and paths.
    """
    core: Any = np._core if hasattr(np, "_core") else np.core
    multiarray = core.multiarray
    found: list[Any] = [argparse.Namespace, pathlib.PosixPath, np.dtype, np.ndarray]
    found.append((codecs.encode, "_codecs.encode"))
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        found.append((multiarray.scalar, f"{module}.scalar"))
        found.append((multiarray._reconstruct, f"{module}._reconstruct"))
    kinds = (np.bool_, np.int32, np.int64, np.uint8, np.float16, np.float32, np.float64)
    found += [type(np.dtype(kind)) for kind in kinds]
    return found


def _class_names(content: Any) -> tuple[str, ...] | None:
    """Return the names in mmseg's ``meta``: ``CLASSES`` in its releases 0, ``dataset_meta.classes`` in 1."""
    meta = content.get("meta") if isinstance(content, Mapping) else None
    if not isinstance(meta, Mapping):
        return None
    data = meta.get("dataset_meta")
    names = meta.get("CLASSES") or (data.get("classes") if isinstance(data, Mapping) else None)
    if isinstance(names, list | tuple) and names and all(isinstance(name, str) for name in names):
        return tuple(names)
    return None
