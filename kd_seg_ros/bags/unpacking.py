"""Files of a bag that are compressed as a whole: unpacked once per command into the temporary folder.

SQLite and MCAP need to jump within a file, which a compressed one does not allow. The unpacked files stay
until the process ends, because a command opens its bag several times; what a killed process has left there is
removed by the next one that unpacks. A process that a command starts reads what the command has unpacked, if
it is started with :meth:`UnpackedFiles.for_children`.
"""

from __future__ import annotations

import atexit
import fcntl
import json
import logging
import os
import shutil
import signal
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from kd_seg_ros.bags.compression import ZSTD_MAGIC, zstd
from kd_seg_ros.common.errors import UserError

LOGGER = logging.getLogger(__name__)

_PREFIX: Final = "kd_seg_bag_"
_LOCK: Final = "owner.lock"
_VARIABLE: Final = "KD_SEG_UNPACKED"
"""Variable with which a process tells those that it starts which files it has unpacked, as JSON: pairs of a
file (path, size and time of change) and its copy."""
_RESERVE_BYTES: Final = 64 * 2**20  # to be left free for others
_BLOCK_BYTES: Final = 4 * 2**20

_Key = tuple[str, int, int]  # path, size and time of change


def is_compressed(path: Path) -> bool:
    """Return whether a file begins as zstd's do."""
    with path.open("rb") as file:
        return file.read(len(ZSTD_MAGIC)) == ZSTD_MAGIC


class UnpackedFiles:
    """The files that this process has unpacked."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._lock: BinaryIO | None = None
        self._files: dict[_Key, Path] = {}

    def get(self, path: Path) -> Path:
        """Return a file's unpacked copy; unpack it if that has not been done yet.

        :raises ValueError: if it is damaged.
        :raises UserError: if there is no room for it.
        """
        status = path.stat()
        key = (str(path.resolve()), status.st_size, status.st_mtime_ns)
        if key not in self._files:
            self._files[key] = _given(key) or self._unpack(path)
        return self._files[key]

    def for_children(self) -> dict[str, str]:
        """Return the variable of the environment by which a child process finds what is unpacked here."""
        found = [[list(key), str(path)] for key, path in self._files.items()]
        return {_VARIABLE: json.dumps(found)} if found else {}

    def remove(self) -> None:
        """Remove all that has been unpacked."""
        folder, self._folder = self._folder, None
        self._files.clear()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _unpack(self, path: Path) -> Path:
        folder = self._own_folder(path)
        free = shutil.disk_usage(folder).free - _RESERVE_BYTES
        size = _unpacked_size(path, free)
        if size > free:
            raise _no_room(path, size, free, folder)
        LOGGER.info("unpacking %s (%s) into %s", path.name, _text(size), folder.parent)
        target = folder / f"{len(self._files)}_{path.stem}"
        try:
            _copy_unpacked(path, target, size)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        return target

    def _own_folder(self, path: Path) -> Path:
        """Return this process' folder in the temporary one; make it first if there is none."""
        if self._folder is None:
            try:
                temporary = Path(tempfile.gettempdir())
                _remove_leftovers(temporary)
                self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
                # Locked before it has the name by which others look for it.
                lock = self._folder / "lock"
                self._lock = lock.open("wb")
                fcntl.flock(self._lock, fcntl.LOCK_EX)
                lock.rename(self._folder / _LOCK)
            except OSError as error:
                raise UserError(
                    f"{path}: a compressed file is unpacked into a temporary folder, which cannot be made: "
                    f"{error.strerror}; set TMPDIR to another place"
                ) from error
            atexit.register(self.remove)
            _exit_on_sigterm()
        return self._folder


UNPACKED: Final = UnpackedFiles()


def _given(key: _Key) -> Path | None:
    """Return the copy of a file that a parent process has unpacked; None without one."""
    try:
        for known, copy in json.loads(os.environ.get(_VARIABLE, "[]")):
            if tuple(known) == key and Path(copy).is_file():
                return Path(copy)
    except (ValueError, TypeError):  # written by somebody else
        pass
    return None


def _unpacked_size(path: Path, most: int) -> int:
    """Return how many bytes a file unpacks to: what its head says, or else counted, up to above ``most``."""
    with path.open("rb") as file:
        head = file.read(18)  # the longest head of a frame
    try:
        told = zstd.get_frame_info(head).decompressed_size
        if told is not None:
            return int(told)
        size = 0
        with zstd.open(path, "rb") as source:
            while size <= most and (block := source.read(_BLOCK_BYTES)):
                size += len(block)
        return size
    except (zstd.ZstdError, EOFError) as error:
        raise ValueError(f"the compressed file is damaged or cut short: {error}") from error


def _copy_unpacked(path: Path, target: Path, size: int) -> None:
    """Unpack a file block by block; one of more than ``size`` bytes is refused."""
    written = 0
    try:
        with path.open("rb") as packed, zstd.open(packed, "rb") as source, target.open("wb") as out:
            while block := source.read(_BLOCK_BYTES):
                written += len(block)
                if written > size:
                    raise ValueError(f"it unpacks to more than the {size} bytes that it names")
                out.write(block)
    except (zstd.ZstdError, EOFError) as error:
        raise ValueError(f"the compressed file is damaged or cut short: {error}") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be unpacked into {target.parent}: {error.strerror}") from error


def _no_room(path: Path, size: int, free: int, folder: Path) -> UserError:
    there = f"{folder.parent} has {_text(max(free, 0))} free"
    return UserError(
        f"{path}: unpacked it takes {_text(size)}, and {there}: set TMPDIR to a place with more room, or "
        "unpack the bag with `ros2 bag convert`"
    )


def _text(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def _remove_leftovers(temporary: Path) -> None:
    """Remove the folders of processes that were killed: nobody holds their locks any more."""
    for folder in temporary.glob(f"{_PREFIX}*"):
        with suppress(OSError), (folder / _LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)


def _exit_on_sigterm() -> None:
    """End by way of Python's exit on SIGTERM and SIGHUP, unless the program has its own answer to them."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        with suppress(ValueError):  # only the main thread may set it
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _exit)


def _exit(number: int, _: object) -> None:
    UNPACKED.remove()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
