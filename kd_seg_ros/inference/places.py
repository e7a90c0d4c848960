"""A few places that threads get in the order in which they asked for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class Places:
    """A semaphore that lets threads in by their order: none is overtaken, however soon another comes back."""

    def __init__(self, number: int) -> None:
        """Make the places, all free.

        :param number: how many threads may be inside at a time, at least 1.
        """
        self._changed = Condition()
        self._free = number
        self._waiting: deque[object] = deque()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Wait for a place, and hold it during the block."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            self._changed.wait_for(lambda: self._free > 0 and self._waiting[0] is ticket)
            self._waiting.popleft()
            self._free -= 1
            self._changed.notify_all()  # a second place may be free for the next in the queue
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()
