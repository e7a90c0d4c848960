"""Child processes that are given as much time as the busiest machine takes."""

from __future__ import annotations

from collections.abc import Callable

from kd_seg_ros.common.child_process import ChildProcess

LONG = 300.0
"""Seconds to wait for what must come. On a machine with ten times as much to do as it has cores, a node takes
a minute to start, and discovery several seconds; nothing waits for so long unless it fails."""


class PatientProcess(ChildProcess):
    """A child process whose start, output and end are waited for :data:`LONG` seconds, a test's patience."""

    def wait_for(
        self, text: str, meanwhile: Callable[[], object] | None = None, seconds: float = LONG
    ) -> None:
        """Wait until it has printed a line with ``text``, as :class:`ChildProcess` does."""
        super().wait_for(text, meanwhile, seconds)

    def wait(self, seconds: float = LONG) -> int:
        """Return its exit status; end it by force only after ``seconds``."""
        return super().wait(seconds)
