"""Stopping work in pure Python that may never end, such as the algebra of sizes in PyTorch's exporter."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class OutOfTime(BaseException):
    """Work has not ended in time. No Exception, so that nothing on the way takes it for its own failure."""


@contextmanager
def processor_time_limit(seconds: float) -> Iterator[None]:
    """Raise :class:`OutOfTime` in the block after so much processor time of the process.

    It does not depend on what else the machine does. In another thread than the main one there is no limit:
    signals reach only that one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGVTALRM, stop)
    # Again and again after that: Python drops an exception that it meets in a callback or a destructor.
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds, min(seconds, 1.0))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
