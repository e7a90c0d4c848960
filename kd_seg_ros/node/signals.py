"""Ending by a signal, where rclpy alone would not: a terminal that closes, and work that never returns."""

from __future__ import annotations

import os
import signal
import sys
from threading import Event, Thread
from typing import Final

import rclpy

PATIENCE_S: Final = 8.0
"""Seconds that the program has to end after it was asked to. ``ros2 launch`` kills after 10."""
_LOOK_S: Final = 0.25


def end_on_hangup() -> None:
    """Make SIGHUP, which a closing terminal sends, end the program as SIGTERM does.

    Call it in the main thread. SIGHUP stays ignored where it is, as by ``nohup``.
    """
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        return
    # rclpy listens to SIGINT and SIGTERM only, in C. A Python handler runs when the main thread is back in
    # Python, which may take long; but at once Python writes a byte to a pipe, which a thread waits for.
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    signal.signal(signal.SIGHUP, _nothing)
    Thread(target=_pass_on_hangups, args=(reading,), name="hangup", daemon=True).start()


def _nothing(*_: object) -> None:
    """Do nothing in place of SIGHUP's default, which kills."""


def _pass_on_hangups(reading: int) -> None:
    while os.read(reading, 1):
        os.kill(os.getpid(), signal.SIGTERM)


class ForcedEnd:
    """Ends the process by force if it does not end by itself after ROS was shut down.

    A model may hang in its first run, or a GPU's driver in any: Python cannot interrupt either.
    """

    def __init__(self) -> None:
        """Start to watch; call it after ``rclpy.init``."""
        self._ended = Event()
        Thread(target=self._watch, name="forced end", daemon=True).start()

    def ended(self) -> None:
        """Take note that the process is about to end by itself."""
        self._ended.set()

    def _watch(self) -> None:
        while rclpy.ok():
            if self._ended.wait(_LOOK_S):
                return
        if not self._ended.wait(PATIENCE_S):
            print(
                f"error: asked to end, but still busy after {PATIENCE_S:g} s (a model that does not answer, "
                "or a driver that hangs): ended by force",
                file=sys.stderr,
                flush=True,
            )
            os._exit(1)
