"""Fast DDS' shared memory in ``/dev/shm``: room, owners, and what killed processes have left.

Each participant has a segment ``fastdds_<16 hex digits>`` (``fastrtps_…`` before Fast DDS 3) and next to it a
lock file, the same name with ``_el``, which its process keeps locked by ``flock`` as long as it lives. A
process that is killed leaves both; ``fastdds shm clean`` finds them by the free lock, and so does this
module.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path("/dev/shm")
NEEDED: Final = 64 * 2**20
"""Bytes that a participant with the shipped profile takes."""
SETTLED_S: Final = 10.0
"""Age of a lock file, in seconds, from which a free lock means a dead owner: a new file is locked only a
moment after it is made."""
_SEGMENT: Final = re.compile(r"(fastdds|fastrtps)_[0-9a-z]{16}")
_LOCK_ENDING: Final = "_el"


@dataclass(frozen=True)
class Removed:
    """What was removed of dead processes."""

    segments: int = 0
    megabytes: float = 0.0
    """In 10⁶ bytes."""


def remove_leftovers(folder: Path = FOLDER) -> Removed:
    """Remove the segments of this user's processes that have ended without doing so.

    A segment stays whose lock is held, whose lock file is missing or was only just made, or that belongs to
    another user.
    """
    count, size = 0, 0
    for segment in _segments(folder):
        removed = _remove_if_dead(segment)
        if removed is not None:
            count, size = count + 1, size + removed
    return Removed(count, size / 1e6)


def foreign_owners(folder: Path = FOLDER) -> list[int]:
    """Return the ids of other users whose segments this process may not write, so that it hears nothing."""
    owners = set()
    for segment in _segments(folder):
        status = _status(segment)
        if status and status.st_uid != os.geteuid() and not os.access(segment, os.R_OK | os.W_OK):
            owners.add(status.st_uid)
    return sorted(owners)


def largest_of_others(folder: Path = FOLDER) -> int:
    """Return the size in bytes of the largest segment that another process has made; 0 if there is none."""
    own = _mapped()
    sizes = [0]
    for segment in _segments(folder):
        status = _status(segment)
        if status and status.st_ino not in own:
            sizes.append(status.st_size)
    return max(sizes)


def free_bytes(folder: Path = FOLDER) -> int | None:
    """Return how many bytes are free; None where there is no such folder."""
    try:
        status = os.statvfs(folder)
    except OSError:
        return None
    return status.f_bavail * status.f_frsize


def _segments(folder: Path) -> list[Path]:
    """List the files that are segments by their name."""
    try:
        return sorted(path for path in folder.iterdir() if _SEGMENT.fullmatch(path.name))
    except OSError:
        return []


def _status(path: Path) -> os.stat_result | None:
    """Return the status of a file, not following links; None if it has just gone."""
    try:
        return os.lstat(path)
    except OSError:
        return None


def _remove_if_dead(segment: Path) -> int | None:
    """Remove a segment and its lock file if nobody holds the lock; return its size, None if it stays."""
    lock_file = segment.with_name(segment.name + _LOCK_ENDING)
    try:
        lock = os.open(lock_file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status, age = os.fstat(lock), time.time() - os.fstat(lock).st_mtime
        if status.st_uid != os.geteuid() or age < SETTLED_S:
            return None
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Held until both files are gone: nobody can take over the segment in between.
        size = os.lstat(segment).st_size
        segment.unlink()
        lock_file.unlink()
        return size
    except OSError:  # BlockingIOError: its owner lives
        return None
    finally:
        os.close(lock)


def _mapped() -> set[int]:
    """Return the inodes of shared memory that this process has mapped; empty where /proc does not tell."""
    try:
        lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    return {int(line.split()[4]) for line in lines if str(FOLDER) in line}
