"""Memory that is surely new to the process: what NumPy asks for may be taken from the heap's spare room."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_memory(size: int) -> Iterator[None]:
    """Hold ``size`` bytes of memory of the process's own, every page of it written to."""
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as pages:
        for start in range(0, size, mmap.PAGESIZE):
            pages[start] = 1
        yield
