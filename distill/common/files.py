"""Writing results as files: each whole or not at all, in a folder that is made if need be."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.files import reason, refuse_device, write_atomically


def write_file(path: Path, content: bytes | str | Callable[[Path], object]) -> None:
    """Write a file, and make its folder.

    :param content: bytes, text, or a function that writes to the path it is given, see
        :func:`~kd_seg_ros.common.files.write_atomically`.
    :raises UserError: if the folder or the file cannot be written; an existing file is kept then.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write {path}: {reason(error)}") from error
    write_atomically(path, content)


def check_destination(path: Path) -> None:
    """Make sure, before long work, that a file can be written; leaves a file already there as it is.

    :raises UserError: if its folder cannot be made or written to, or the file's name is that of a folder or
        a device.
    """
    if path.is_dir():
        raise UserError(f"cannot write {path}: a folder has this name")
    try:
        refuse_device(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise UserError(f"cannot write {path}: {reason(error)}") from error


def write_json(path: Path, document: Any) -> None:
    """Write a JSON file, and make its folder.

    :param document: what :mod:`json` can write, without NaN and infinity.
    :raises UserError: if it cannot be written; an existing file is kept then.
    """
    write_file(path, json.dumps(document, indent=2, allow_nan=False) + "\n")


def plain(value: float) -> float | None:
    """Turn NaN into None, for which JSON has a word (null)."""
    return None if math.isnan(value) else float(value)
