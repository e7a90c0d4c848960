from __future__ import annotations

import sys

import numpy as np

from kd_seg_ros.inference.gpu.page_locks import MOST, PageLocks


class System:
    """Remembers what is locked; refuses what it is told to."""

    def __init__(self) -> None:
        self.locked: dict[int, int] = {}
        self.calls = 0
        self.refuses = False

    def lock(self, start: int, size: int) -> bool:
        self.calls += 1
        if not self.refuses:
            self.locked[start] = size
        return not self.refuses

    def unlock(self, start: int) -> None:
        del self.locked[start]


def test_memory_is_locked_when_it_comes_again() -> None:
    system = System()
    locks = PageLocks(system.lock, system.unlock)
    array = np.zeros((4, 5), np.float32)
    assert not locks.use(array)
    assert locks.use(array)
    assert locks.use(array.view())  # the same memory
    assert system.locked == {array.ctypes.data: 80}
    assert system.calls == 1
    locks.clear()
    assert not system.locked


def test_what_is_locked_is_held_and_what_went_by_is_not() -> None:
    """A place in memory means the same memory only as long as somebody holds it."""
    system = System()
    locks = PageLocks(system.lock, system.unlock)
    array = np.zeros(100, np.uint8)
    locks.use(array)
    locks.use(array)
    held = sys.getrefcount(array)
    for number in range(MOST):
        other = np.zeros(100 + number, np.uint8)
        locks.use(other)
        locks.use(other)
    assert sys.getrefcount(array) == held - 1
    assert array.ctypes.data not in system.locked
    assert len(system.locked) == MOST


def test_new_arrays_each_time_are_never_locked() -> None:
    system = System()
    locks = PageLocks(system.lock, system.unlock)
    arrays = [np.zeros(100, np.uint8) for _ in range(20)]
    assert not sum(locks.use(array) for array in arrays)
    assert sys.getrefcount(arrays[0]) < sys.getrefcount(arrays[-1])


def test_refused_memory_is_asked_for_once() -> None:
    system = System()
    system.refuses = True
    locks = PageLocks(system.lock, system.unlock)
    array = np.zeros(100, np.uint8)
    assert not sum(locks.use(array) for _ in range(5))
    assert system.calls == 1
