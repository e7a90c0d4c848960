"""A mailbox of one slot between the camera callback and the worker: the newest frame wins. No ROS in here."""

from __future__ import annotations

from threading import Condition
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Hands the newest item from one thread to another; older ones are overwritten, never queued."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._slot: list[T] = []
        self._closed = False

    def put(self, item: T) -> bool:
        """Leave an item, without waiting; return True if it replaced one that nobody had taken."""
        with self._changed:
            overwritten = bool(self._slot)
            self._slot = [item]
            self._changed.notify()
            return overwritten

    def take(self) -> T | None:
        """Wait for an item and take it; return None as soon as the mailbox is closed, full or not."""
        with self._changed:
            self._changed.wait_for(lambda: self._slot or self._closed)
            return None if self._closed else self._slot.pop()

    def close(self) -> None:
        """End every present and future :meth:`take`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
