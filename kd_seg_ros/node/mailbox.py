"""A mailbox of one slot between the camera callback and the worker: the newest frame wins. No ROS in here."""

from __future__ import annotations

from collections.abc import Callable
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

    def wait(self, wait_for_next: Callable[[T], float] | None = None) -> bool:
        """Wait for an item, and leave it there; return False as soon as the mailbox is closed, full or not.

        :param wait_for_next: returns for how many seconds to wait for another item instead of the one that is
            there.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._slot or self._closed)
            if wait_for_next is not None and not self._closed:
                there = self._slot[0]
                self._changed.wait_for(
                    lambda: self._closed or self._slot[0] is not there, wait_for_next(there)
                )
            return not self._closed

    def take(self) -> T | None:
        """Wait for an item and take it; return None as soon as the mailbox is closed, full or not."""
        with self._changed:
            self._changed.wait_for(lambda: self._slot or self._closed)
            return None if self._closed else self._slot.pop()

    def close(self) -> bool:
        """End every present and future :meth:`take`; return True if an item was left that nobody takes."""
        with self._changed:
            left = bool(self._slot) and not self._closed
            self._closed = True
            self._changed.notify_all()
            return left
