"""Reading NumPy's .npz archives: no pickle, and no more memory than the file was allowed to take."""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.common.files import refuse_to_wait

LARGEST: Final = 2**30
"""Bytes that the arrays of one file may take in memory unless told otherwise."""
_DAMAGE: Final = (
    *(OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, NotImplementedError),
    *(zipfile.BadZipFile, zlib.error, MemoryError, SyntaxError, UnicodeError),
)
"""What the standard library and NumPy raise for a damaged archive."""


class NpzError(Exception):
    """An archive that cannot be read; the text is the reason."""


def read_npz(path: Path, largest: int = LARGEST) -> dict[str, NDArray[Any]]:
    """Read all arrays of an archive.

    The sizes in the headers are compared with one another and with the limit before memory is taken: a
    damaged or hostile file of a few kilobytes can claim terabytes.

    :param largest: bytes that the arrays may take together.
    :return: the arrays by name, in the file's order.
    :raises FileNotFoundError: if there is no such file.
    :raises NpzError: if it is damaged, holds Python objects or is too large, with the reason.
    """
    try:
        refuse_to_wait(path)
        with zipfile.ZipFile(path) as archive:
            _check_sizes(archive, largest)
            broken = archive.testzip()  # reads every member and compares its checksum
            if broken is not None:
                raise NpzError(f"the checksum of {broken} is wrong")
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except FileNotFoundError:
        raise
    except _DAMAGE as error:
        raise NpzError(str(error) or type(error).__name__) from error


def _check_sizes(archive: zipfile.ZipFile, largest: int) -> None:
    """Compare each array's header with its member's size, and the sum with the limit; raises NpzError."""
    total = 0
    for member in archive.infolist():
        with archive.open(member) as file:
            version = np.lib.format.read_magic(file)
            if version not in ((1, 0), (2, 0)):
                raise NpzError(f"{member.filename} has version {version} of NumPy's format")
            if version == (1, 0):
                shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            else:
                shape, _, dtype = np.lib.format.read_array_header_2_0(file)
            header = file.tell()
        if dtype.hasobject:
            raise NpzError(f"{member.filename} holds Python objects, which are not read")
        size = math.prod(shape) * dtype.itemsize
        if header + size != member.file_size:
            raise NpzError(
                f"{member.filename} claims {size} bytes and holds {max(0, member.file_size - header)}"
            )
        total += size
        if total > largest:
            raise NpzError(f"its arrays claim {total} bytes; at most {largest} are read")
