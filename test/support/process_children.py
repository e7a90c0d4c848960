"""The processes that a process has started, and whether they have ended."""

from __future__ import annotations

import time
from pathlib import Path


def children_of(pid: int) -> list[int]:
    """Return the ids of the processes that the main thread of a process has started and that still run."""
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(word) for word in found.split()]


def wait_for_children(pid: int, number: int, seconds: float = 120.0) -> list[int]:
    """Wait until a process has so many children; return their ids."""
    end = time.monotonic() + seconds
    while len(children_of(pid)) < number:
        assert time.monotonic() < end, f"{len(children_of(pid))} children, not {number}"
        time.sleep(0.05)
    return children_of(pid)


def all_end(pids: list[int], seconds: float = 120.0) -> bool:
    """Wait until processes have ended; return whether they have."""
    end = time.monotonic() + seconds
    while any(map(_runs, pids)):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def _runs(pid: int) -> bool:
    """Return whether a process has not ended yet; one that nobody has asked for its status has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
