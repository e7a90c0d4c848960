"""The folder of a run: made before training, locked during it, holding checkpoints and full configuration."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import yaml

from distill.checkpoints.lightning_io import BEST, LAST, NEXT, PREVIOUS
from distill.checkpoints.training_cost import COST_FILE
from distill.config import Config
from distill.data.data_check import DATA_CHECK
from distill.training.gradient_log import FILE as GRADIENTS
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.files import TEMPORARY, reason, write_atomically

_logger = logging.getLogger(__name__)

CONFIG_FILE: Final = "config.yaml"
"""Name of the file that holds the run's full configuration; it marks a folder as a run's."""

LOCK_FILE: Final = "fit.lock"
"""Name of the file that a run holds locked while it trains; it holds the number of the process."""

LOGS: Final = ("tensorboard", "csv", "wandb", "mlflow")
"""Folders of the loggers, by the values of ``training.logger``."""

_WRITTEN: Final = (BEST, LAST, PREVIOUS, NEXT, CONFIG_FILE, DATA_CHECK, COST_FILE, GRADIENTS)
"""Names of the files that ``fit`` writes."""


_held: Final[set[int]] = set()
"""Descriptors of the lock files that this process holds."""


def _close_held() -> None:
    """Let go, in a forked child, of the parent's locks.

    Otherwise the processes that read the data would keep the lock for a while after their parent was killed,
    and the run could not be resumed at once.
    """
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_close_held)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make a run's folder, and keep every other ``fit`` out of it while the context lasts.

    The system lifts the lock of a process that ends in whatever way. On network folders that know no locks
    there is none.

    :raises UserError: if another process trains there, or the folder cannot be made.
    """
    path = folder / LOCK_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = _open_locked(path)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    except OSError as error:
        raise _cannot_be_made(folder, error) from error
    _held.add(descriptor)
    try:
        yield
    finally:
        # Before the lock is lifted, so that nobody else's file is deleted.
        with suppress(OSError):
            path.unlink(missing_ok=True)
        if descriptor in _held:  # not in a forked child, which has closed it
            _held.discard(descriptor)
            os.close(descriptor)


def _open_locked(path: Path) -> int:
    """Return the descriptor of a lock file that is open and locked.

    :raises UserError: if another process holds the lock.
    :raises OSError: if the file cannot be opened.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 20).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise UserError(
                f"another `fit` (process {holder or 'unknown'}) trains in {path.parent}: wait for its end, "
                "or choose another --name"
            ) from None
        except OSError:
            _logger.warning("%s lies on a disk without locks: start no other `fit` in it", path.parent)
            return descriptor
        # Between opening and locking, the holder before may have deleted the file: then take the new one.
        with suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        os.close(descriptor)


def prepare_run_folder(folder: Path, overwrite: bool) -> None:
    """Make the folder of a new run.

    :param overwrite: delete what an earlier run of ``fit`` has written there, and nothing else.
    :raises UserError: if the folder holds a run that may not be deleted, or cannot be made.
    """
    if any((folder / name).exists() for name in (LAST, PREVIOUS)) and not overwrite:
        raise UserError(f"{folder} already holds a run: --resume continues it, --overwrite deletes it")
    try:
        if overwrite and folder.is_dir():
            _delete_run(folder)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_be_made(folder, error) from error


def write_run_config(config: Config) -> None:
    """Write the full configuration next to the run's checkpoints."""
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
    write_atomically(config.run_folder / CONFIG_FILE, text)


def _delete_run(folder: Path) -> None:
    """Delete the files and folders that ``fit`` writes; log what else is there and stays."""
    found = {path.name: path for path in folder.iterdir() if path.name != LOCK_FILE}
    if found and CONFIG_FILE not in found:
        raise UserError(f"{folder} is no run of `fit` and is not deleted: choose another --name")
    if folder.is_symlink():
        raise OSError(f"{folder} is a link")
    for name in LOGS:
        if name in found:
            shutil.rmtree(found.pop(name))
    # The configuration last: until then the folder is known to be a run's.
    for name in sorted(_WRITTEN, key=CONFIG_FILE.__eq__):
        for path in (found.pop(name, None), found.pop(name + TEMPORARY, None)):
            if path is not None:
                path.unlink()
    if found:
        kept = ", ".join(sorted(found))
        _logger.warning("%s: not of `fit`, and kept, though it may be about the run before: %s", folder, kept)


def _cannot_be_made(folder: Path, error: OSError) -> UserError:
    return UserError(f"run folder {folder} cannot be made: {reason(error)}")
