"""Images that a publisher has sent and that never came, by the numbers it gives them. No ROS in here."""

from __future__ import annotations

from collections.abc import Iterable


class LostMessageCounter:
    """Counts the numbers missing between those that came; of one publisher, since each has its own."""

    missing = 0
    """Since the start."""

    def __init__(self) -> None:
        self._publishers: frozenset[bytes] = frozenset()
        self._last: int | None = None

    def watch(self, publishers: Iterable[bytes]) -> None:
        """Take note of who publishes; the count goes on with the next image if that has changed."""
        found = frozenset(publishers)
        if found != self._publishers:
            self._publishers = found
            self.restart()

    def restart(self) -> None:
        """Expect any number next."""
        self._last = None

    def note(self, number: int | None) -> None:
        """Take note of an image's number; None where the middleware does not tell."""
        if number is None or len(self._publishers) != 1:
            return
        if self._last is not None:
            self.missing += max(0, number - self._last - 1)
        self._last = number
