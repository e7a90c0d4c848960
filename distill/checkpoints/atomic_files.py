"""Checkpoint files that are either whole or recognised as damaged, whenever the process or the machine stops.

A file is written under another name beside its place, forced to the disk (fsync) and only then renamed, which
POSIX does at once: at every moment the place holds the old file or the new one. A process killed while it
writes leaves ``NAME.tmp``, which the next write of NAME replaces. One process at a time may write a file.

A checkpoint is the zip archive of ``torch.save``. Each of its records carries a CRC-32, which ``torch.load``
does not look at: it takes a flipped bit for a weight. So they are checked here first. Up to 32 changed bits
in a row are always found, anything else but for one case in 2³². A file cut short lacks the zip's directory,
which stands at its end.
"""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from kd_seg_ros.common.errors import UserError, first_line

_FOLDER = 0x10
"""Bit of a zip record's attributes; torch.save makes no folders."""


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` make the file ``path``, or leave whatever is there as it is.

    :param write: called with the path of a temporary file in the same folder, which it writes and closes.
    :raises UserError: with the system's reason, such as "no space left on device". Other exceptions of
        ``write`` pass. After any of them the temporary file is gone.
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        write(temporary)
        _sync(temporary)
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {_reason(error)}; a file already there is kept") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    # Some network folders cannot be synced; a power cut may then bring the old file back, whole.
    with suppress(OSError):
        _sync(path.parent)


def save_checkpoint(data: dict[str, Any], path: Path) -> None:
    """Write tensors and plain data atomically, for :func:`load_checkpoint` or ``torch.load``.

    :raises UserError: see :func:`write_atomically`.
    """

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            try:
                torch.save(data, file)
            except RuntimeError as error:
                # torch's complaint about its unfinished archive hides the disk's.
                if isinstance(error.__context__, OSError):
                    raise error.__context__ from None
                raise

    write_atomically(path, write)


def load_checkpoint(path: Path) -> Any:
    """Read a whole checkpoint of tensors and plain data onto the CPU.

    :raises UserError: if the file is missing, damaged or would have to be unpickled.
    """
    problem = damage(path)
    if problem is not None:
        raise UserError(f"checkpoint {path} {problem}: use another one or train again")
    return torch.load(path, map_location="cpu", weights_only=True)


def damage(path: Path) -> str | None:
    """Say why a checkpoint file cannot be loaded ("is cut short …"), or None if all is as it was saved."""
    try:
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
        return f"cannot be read ({_reason(error)})"
    except Exception as error:  # zipfile and torch raise many kinds for a damaged header
        return f"is damaged ({first_line(error)})"
    return None


def newest_whole(paths: Iterable[Path]) -> tuple[Path | None, list[str]]:
    """Return the youngest undamaged checkpoint, and one line on each younger one that was passed over.

    Of equally old ones the last in ``paths`` is taken. Missing files are no candidates.
    """
    found = [path for path in paths if path.is_file()]
    skipped: list[str] = []
    for path in sorted(found, key=lambda path: path.stat().st_mtime_ns)[::-1]:
        problem = damage(path)
        if problem is None:
            return path, skipped
        skipped.append(f"{path} {problem}")
    return None, skipped


def _sync(path: Path) -> None:
    """Wait until a file's or folder's content is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: OSError) -> str:
    reason = error.strerror or first_line(error)
    return reason[:1].lower() + reason[1:]
