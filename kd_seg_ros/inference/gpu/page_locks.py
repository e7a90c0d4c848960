"""Page-locking memory that is used again and again: the GPU then reads and writes it without the processor.

Locking takes about as long as a copy that is not locked, so memory is locked when it is seen for the second
time. What is locked is held: memory that somebody gave back, and that the system has since used for other
things, would no longer be where the GPU writes to.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from numpy.typing import NDArray

MOST: Final = 4
"""Arrays that are locked at a time: mask, confidence and probability of one set of messages, and one more."""

_Place = tuple[int, int]


class PageLocks:
    """Locks arrays that come again; the one not used for the longest time makes room for the next."""

    def __init__(self, lock: Callable[[int, int], bool], unlock: Callable[[int], None]) -> None:
        """Begin with nothing locked.

        :param lock: locks so many bytes at an address; returns False where the system refuses.
        :param unlock: takes the address.
        """
        self._lock = lock
        self._unlock = unlock
        self._locked: OrderedDict[_Place, NDArray[Any]] = OrderedDict()
        self._seen: OrderedDict[_Place, NDArray[Any]] = OrderedDict()
        self._refused: set[_Place] = set()

    def use(self, array: NDArray[Any]) -> bool:
        """Return whether an array's memory is locked, and lock it if it was used before."""
        place = array.ctypes.data, array.nbytes
        if place in self._locked:
            self._locked.move_to_end(place)
            return True
        if place in self._refused:
            return False
        # The array that is remembered here holds its memory, so that the same place means the same memory.
        if place not in self._seen:
            self._seen[place] = array
            if len(self._seen) > MOST:
                self._seen.popitem(last=False)
            return False
        return self._lock_now(place, self._seen.pop(place))

    def _lock_now(self, place: _Place, array: NDArray[Any]) -> bool:
        if not self._lock(*place):
            self._refused.add(place)
            return False
        self._locked[place] = array
        if len(self._locked) > MOST:
            (start, _), _ = self._locked.popitem(last=False)
            self._unlock(start)
        return True

    def clear(self) -> None:
        """Unlock everything."""
        while self._locked:
            (start, _), _ = self._locked.popitem()
            self._unlock(start)
        self._seen.clear()
        self._refused.clear()
