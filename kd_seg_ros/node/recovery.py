"""Restarting the provider when a run fails, as it does when a GPU is lost. No ROS in here."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Final

from kd_seg_ros.inference.engine import Engine

PAUSES_S: Final = (0.5, 2.0, 8.0)
"""Seconds to wait before each attempt. After a frame that works the count starts again."""


class Recovery:
    """Opens an engine again after it has failed, or gives up."""

    def __init__(self, engine: Engine, say: Callable[[str], object]) -> None:
        """Begin with an engine that works.

        :param say: called with a line each time that something is done.
        """
        self._engine = engine
        self._say = say
        self._stopping = Event()
        self._attempts = 0
        self.trouble = ""
        """What is being done about the failure; empty while all is well."""
        self.given_up = False
        """True once all attempts have failed: somebody else has to act."""

    def stop(self) -> None:
        """End a pause under way, without another attempt."""
        self._stopping.set()

    def resume(self) -> None:
        """Allow attempts again after :meth:`stop`."""
        self._stopping.clear()

    def worked(self) -> None:
        """Take note that the engine works: a frame was segmented."""
        self._attempts, self.trouble = 0, ""

    def failed(self, error: Exception) -> None:
        """Open the engine again, after a pause; return when it runs, or when all attempts have failed."""
        reason: Exception | None = error
        while reason is not None and not self.given_up:
            if self._attempts == len(PAUSES_S):
                self.given_up = True
                self.trouble = f"{reason}; given up after {self._attempts} attempts"
                return
            reason = self._attempt(reason)
            if self._stopping.is_set():
                return

    def _attempt(self, reason: Exception) -> Exception | None:
        """Wait and open the engine; return why it does not run, or None if it does."""
        pause = PAUSES_S[self._attempts]
        self._attempts += 1
        self.trouble = f"{reason}; attempt {self._attempts} of {len(PAUSES_S)} to start it again"
        self._say(f"{self.trouble} in {pause:g} s")
        if self._stopping.wait(pause):
            return None
        try:
            self._engine.reopen()
            self._engine.warm_up()
        except Exception as error:  # whatever it is, it must not end the worker's thread
            return error
        return None
