"""Checkpoint files that are either whole or recognised as damaged, whenever the process or the machine stops.

They are written as :mod:`kd_seg_ros.common.files` describes: at every moment there is the old file or the
new one.

A checkpoint is a file of ``torch.save``, looked at as :mod:`distill.common.torch_file` describes before it is
loaded.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from distill.common.torch_file import damage
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.files import write_atomically


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


def callback_state(path: Path, key: str) -> Any:
    """Return what one of Lightning's callbacks has kept in a checkpoint; None if it holds nothing of it.

    Tensors are not read: nothing touches their memory.

    :param path: the checkpoint, a whole file.
    :param key: the callback's ``state_key``.
    """
    checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    callbacks = checkpoint.get("callbacks")
    return callbacks.get(key) if isinstance(callbacks, dict) else None


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
