"""Calls into a library that may never return, such as a network that holds an endless loop.

Python answers a signal only when the main thread is back from such a call. Here a thread is told of the
signal at once. It gives the call some seconds to end by itself, then asks the library to end it.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

PATIENCE_S: Final = 8.0
"""Seconds that a call may still take after a signal. ``ros2 launch`` kills a process after 10."""

_calls: dict[int, tuple[float, Callable[[], object]]] = {}
"""The calls under way, by thread: since when (s of ``time.monotonic``), and what ends them."""


@contextmanager
def long_call(end: Callable[[], object]) -> Iterator[None]:
    """Mark the block as a call that may never return.

    :param end: makes the call return soon, with an error; called from another thread.
    """
    thread = threading.get_ident()
    _calls[thread] = (time.monotonic(), end)
    try:
        yield
    finally:
        del _calls[thread]


def end_long_calls_on_signals(patience: float = PATIENCE_S) -> None:
    """From now on end a long call that is still under way ``patience`` s after a signal.

    For signals that Python has a handler for. Does nothing outside the main thread, or where somebody else is
    told of signals already, as asyncio is.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    before = signal.set_wakeup_fd(-1)
    if before != -1:
        signal.set_wakeup_fd(before)
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reading, patience), name="long calls", daemon=True).start()


def _watch(reading: int, patience: float) -> None:
    while os.read(reading, 1):
        arrival = time.monotonic()
        time.sleep(patience)
        for since, end in list(_calls.values()):
            if since < arrival:
                end()
