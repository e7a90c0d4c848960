"""A limit to the memory that a network takes on the CPU.

A model file of a few hundred bytes can ask for any amount: one node expands a number to terabytes, another
joins a tensor to itself in a loop. How much it is shows only while the network runs. So the kernel is told
the limit (``RLIMIT_DATA``, the memory that is a process' own) for as long as a file is opened or run: an
allocation beyond it fails, ONNX Runtime gives back what it had and raises. Setting it and giving it back take
40 µs of processor time per frame (AMD EPYC, least of nine runs of 2000).
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Final

MEGABYTE: Final = 10**6
"""Bytes of a megabyte, as parameters and options count it."""

_CGROUP_LIMITS: Final = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
"""Where a container's limit of memory stands: control groups of version 2, and of version 1."""
_DATA_FIELD: Final = 5
"""Place in ``/proc/self/statm`` of the pages that are a process' own."""
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_FAILURES: Final = (
    "failed to allocate",
    "bad_alloc",
    "insufficient memory",
    "out of memory",
    "can't alloc",
)
"""What the messages of ONNX Runtime, the C++ library, OpenCV and OpenVINO hold when memory was refused."""

_lock = Lock()
_holders = 0
"""Number of blocks that hold the limit now."""
_before = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
"""The limits, soft and hard, before the first of them."""


def limit_bytes(megabytes: int) -> int:
    """Return a limit in bytes.

    :param megabytes: 10⁶ bytes; 0: half of the memory of the machine or, if that is less, of its container.
    """
    if megabytes:
        return megabytes * MEGABYTE
    sizes = [_PAGE * os.sysconf("SC_PHYS_PAGES")]
    for file in _CGROUP_LIMITS:
        try:
            text = file.read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdecimal():  # else "max": there is none
            sizes.append(int(text))
    return min(sizes) // 2


@contextmanager
def limited_memory(limit: int) -> Iterator[None]:
    """Let allocations fail that would give this process more than it has now and ``limit`` bytes on top.

    It holds for all threads. Blocks may overlap: the limit of the first one counts until the last one ends.
    A stricter limit of the user's (``ulimit -d``) stays. Does nothing where there is no Linux.
    """
    global _holders, _before
    with _lock:
        if _holders == 0:
            _before = resource.getrlimit(resource.RLIMIT_DATA)
            _set_soft_limit(limit)
        _holders += 1
    try:
        yield
    finally:
        with _lock:
            _holders -= 1
            if _holders == 0:
                resource.setrlimit(resource.RLIMIT_DATA, _before)


def _set_soft_limit(limit: int) -> None:
    """Set the soft limit to what the process has now and ``limit`` bytes more."""
    try:
        statm = Path("/proc/self/statm").read_text(encoding="ascii")
    except OSError:
        return
    soft, hard = _before
    allowed = int(statm.split()[_DATA_FIELD]) * _PAGE + limit
    if soft == resource.RLIM_INFINITY or allowed < soft:
        resource.setrlimit(resource.RLIMIT_DATA, (allowed, hard))


def memory_was_refused(error: BaseException) -> bool:
    """Return whether an error of NumPy, OpenCV or ONNX Runtime means that memory could not be had."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(failure in text for failure in _FAILURES)


def refusal(limit: int) -> str:
    """Say that a network asks for more memory than ``limit`` bytes, and what to do."""
    return (
        f"it takes more than the {limit / MEGABYTE:.0f} MB of memory that a network may take, or than there "
        "is: use another file, or raise max_model_memory_mb"
    )
