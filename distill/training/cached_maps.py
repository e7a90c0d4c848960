"""Maps of a teacher in files: one file for each image, in half precision, with a checksum.

The files are in the format of safetensors, without pickle and without compression. They are written
atomically, each process under names of its own, so that a run that is killed leaves whole files and several
runs can fill one folder at the same time. A damaged file, or one of other maps, is refused by name.
"""

from __future__ import annotations

import hashlib
import uuid
import zlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from distill.common.tensor_file import write_tensors
from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.common.files import reason, sha256

CHECKSUM = "crc32"
"""Key of the checksum in a file's header."""
READERS = 8
"""Threads that read the files of a batch at the same time."""


class Checks:
    """Compares each file with its checksum once, when it is first used."""

    def __init__(self) -> None:
        self._checked: set[Path] = set()

    def __call__(self, files: Iterable[Path], names: set[str]) -> None:
        """Compare the content of files that have not been seen before with their headers.

        :param names: of the maps that each must hold.
        :raises UserError: for the first one that is damaged or holds something else.
        """
        fresh = [file for file in files if file not in self._checked]
        if fresh:
            with ThreadPoolExecutor(min(len(fresh), READERS)) as pool:
                list(pool.map(partial(_check_file, names=names), fresh))
            self._checked.update(fresh)


def _check_file(file: Path, names: set[str]) -> None:
    """Refuse a file that is damaged, or holds other maps or other numbers; raises UserError."""
    try:
        with safe_open(file, "pt") as tensors:
            stored = (tensors.metadata() or {}).get(CHECKSUM)
            found = {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118
        fault = ""
        if set(found) != names:
            fault = f"it holds {', '.join(sorted(found)) or 'nothing'} in place of {', '.join(sorted(names))}"
        elif any(values.dtype != torch.float16 for values in found.values()):
            fault = "its numbers are not in half precision"
        elif stored != checksum(found):
            fault = "its checksum is wrong"
    except (OSError, SafetensorError, ValueError, RuntimeError) as error:
        raise UserError(f"teacher cache {file} is damaged: delete it ({first_line(error)})") from error
    if fault:
        raise UserError(f"teacher cache {file} is damaged: delete it ({fault})")


def checksum(tensors: Mapping[str, Tensor]) -> str:
    """Return the CRC-32 of half-precision maps, their names and their shapes, as text."""
    value = 0
    for name in sorted(tensors):
        value = zlib.crc32(f"{name} {list(tensors[name].shape)} ".encode(), value)
        value = zlib.crc32(tensors[name].contiguous().numpy().data, value)
    return f"{value:08x}"


def write_maps(file: Path, tensors: dict[str, Tensor]) -> None:
    """Write one image's maps; raises UserError as :func:`write_shared` does."""
    write_shared(file, lambda own: write_tensors(own, tensors, {CHECKSUM: checksum(tensors)}))


def write_shared(file: Path, write: Callable[[Path], object]) -> None:
    """Write a file of the cache, whoever else may be writing the same.

    :param write: is given the path of a temporary file, writes it and closes it.
    :raises UserError: if that fails, with the reason, such as a full disk.
    """
    own = file.with_name(f"{uuid.uuid4().hex}.part")
    try:
        write(own)
        own.replace(file)
    except UserError as error:
        raise UserError(str(error).replace(str(own), f"teacher cache {file}")) from error
    except OSError as error:
        raise UserError(f"cannot write teacher cache {file}: {reason(error)}") from error
    finally:
        own.unlink(missing_ok=True)


def digest(path: Path) -> str:
    """Return a hash of a file's content, or of all files below a folder."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return short_hash(" ".join(sha256(file) for file in files))


def version(path: str) -> str:
    """Return a text that is another for another file, size or time of change; without a file its name."""
    try:
        status = Path(path).stat()
    except OSError:
        return path
    return f"{path} {status.st_size} {status.st_mtime_ns}"


def short_hash(text: str) -> str:
    """Return 32 hexadecimal digits of a text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
