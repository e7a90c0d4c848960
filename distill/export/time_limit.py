"""Stopping work in pure Python that may never end, such as the algebra of sizes in PyTorch's exporter."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from tqdm import tqdm

from kd_seg_ros.common.logs import progress_shown

TRACING_SECONDS: Final = 120.0
"""Processor time after which tracing a network for any size is given up, unless another is given. The slowest
that ends, SwiftNet over EfficientNet-Lite0, takes 81 s of a busy AMD EPYC (docs/models.md has them all)."""
_THREAD: Final = "processor time"
_BAR: Final = "{desc}: {n:.0f} s of processor time, at most {total:.0f} s"


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


@contextmanager
def processor_time_shown(what: str, seconds: float) -> Iterator[None]:
    """Show on the terminal how much processor time the block has taken, of at most ``seconds``.

    :param what: names the work.
    """
    done = threading.Event()
    start = time.process_time()
    with tqdm(desc=what, total=seconds, unit="s", bar_format=_BAR, disable=not progress_shown()) as bar:
        thread = threading.Thread(target=_show, args=(bar, start, done), name=_THREAD, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def _show(bar: tqdm[Any], start: float, done: threading.Event) -> None:
    """Move a bar once a second to the processor time since ``start``, until all is done."""
    while not done.wait(1):
        bar.n = min(time.process_time() - start, bar.total)
        bar.refresh()
