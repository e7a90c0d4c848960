"""Checkpoint files that are either whole or recognised as damaged, whenever the process or the machine stops.

They are written as :mod:`kd_seg_ros.common.files` describes: at every moment there is the old file or the
new one.

A checkpoint is the zip archive of ``torch.save``. Each of its records carries a CRC-32, which ``torch.load``
does not look at: it takes a flipped bit for a weight. So they are checked here first. Up to 32 changed bits
in a row are always found, anything else but for one case in 2³². A file cut short lacks the zip's directory,
which stands at its end.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.common.files import reason, write_atomically

_FOLDER = 0x10
"""Bit of a zip record's attributes; torch.save makes no folders."""


def save_checkpoint(data: dict[str, Any], path: Path) -> None:
    """Write tensors and plain data atomically, for :func:`load_checkpoint` or ``torch.load``.

    :raises UserError: see :func:`kd_seg_ros.common.files.write_atomically`.
    """

    write_atomically(path, partial(_save, data))


def _save(data: dict[str, Any], path: Path) -> None:
    """Write a file by ``torch.save``; a full disk raises OSError, as everywhere else."""
    with path.open("wb") as file:
        try:
            torch.save(data, file)
        except RuntimeError as error:
            # torch's complaint about its unfinished archive hides the disk's.
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


def load_checkpoint(path: Path) -> Any:
    """Read a whole checkpoint of tensors and plain data onto the CPU.

    :raises UserError: if the file is missing, damaged or would have to be unpickled.
    """
    problem = damage(path)
    if problem is not None:
        raise UserError(f"checkpoint {path} {problem}: use another one or train again")
    return torch.load(path, map_location="cpu", weights_only=True)


def damage(path: Path) -> str | None:
    """Return why a checkpoint file cannot be loaded, such as "is cut short …", or None if it is whole."""
    try:
        # Every record against its CRC-32.
        with zipfile.ZipFile(path) as archive:
            record = archive.testzip()
            records = archive.infolist()
        if record is not None:
            return f"is damaged in {record}"
        # The directory itself has no checksum. torch fills a record that it takes for a folder with whatever
        # is in memory; other mistakes it finds, without reading the tensors again.
        if any(info.external_attr & _FOLDER or info.compress_size != info.file_size for info in records):
            return "is damaged in its directory"
        torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except FileNotFoundError:
        return "does not exist"
    except zipfile.BadZipFile:
        return "is cut short or no checkpoint"
    except pickle.UnpicklingError:
        return "holds more than tensors and plain data"
    except OSError as error:
        return f"cannot be read ({reason(error)})"
    except Exception as error:  # zipfile and torch raise many kinds for a damaged header
        return f"is damaged ({first_line(error)})"
    return None


def newest_whole(paths: Iterable[Path]) -> tuple[Path | None, list[str]]:
    """Return the newest undamaged checkpoint, and one line on each newer one that was skipped.

    Of equally old ones the last in ``paths`` is taken. Missing files are left out.
    """
    existing = [path for path in paths if path.is_file()]
    skipped: list[str] = []
    for path in sorted(existing, key=_time_of_change)[::-1]:
        problem = damage(path)
        if problem is None:
            return path, skipped
        skipped.append(f"{path} {problem}")
    return None, skipped


def _time_of_change(path: Path) -> int:
    return path.stat().st_mtime_ns
