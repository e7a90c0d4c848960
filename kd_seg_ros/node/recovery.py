"""When a run fails, as it does on a lost device: start the provider anew, a few times. No ROS in here."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Final

from kd_seg_ros.inference.engine import Engine

PAUSES_S: Final = (0.5, 2.0, 8.0)
"""Before each attempt; a frame that works makes the count start again."""


class Recovery:
    """Brings an engine back, or gives up."""

    def __init__(self, engine: Engine, say: Callable[[str], object]) -> None:
        """Begin with an engine that works.

        :param say: told what is being done, one line each time.
        """
        self._engine = engine
        self._say = say
        self._stopping = Event()
        self._attempts = 0
        self.trouble = ""
        """What is going on; empty while all is well."""
        self.given_up = False
        """The engine does not come back; somebody else has to act."""

    def stop(self) -> None:
        """End a pause under way, without another attempt."""
        self._stopping.set()

    def worked(self) -> None:
        """Note that a frame has been segmented."""
        self._attempts, self.trouble = 0, ""

    def failed(self, error: Exception) -> None:
        """Start the engine anew, after a pause; return when it runs, or when that is given up."""
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
        """Start the engine; return why it does not run."""
        pause = PAUSES_S[self._attempts]
        self._attempts += 1
        self.trouble = f"{reason}; attempt {self._attempts} of {len(PAUSES_S)} to start it anew"
        self._say(f"{self.trouble} in {pause:g} s")
        if self._stopping.wait(pause):
            return None
        try:
            self._engine.reopen()
            self._engine.warm_up()
        except Exception as error:  # whatever it is, the thread that asks for frames must not end by it
            return error
        return None
