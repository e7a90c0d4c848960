"""Counting images that a publisher sent and that never came, by their sequence numbers. No ROS in here."""

from __future__ import annotations

from collections.abc import Iterable


class LostMessageCounter:
    """Counts the sequence numbers missing between those that came, while there is a single publisher.

    Each publisher counts its own messages, so that the numbers of several say nothing.
    """

    missing = 0
    """Number of messages missing since the start."""

    def __init__(self) -> None:
        self._publishers: frozenset[bytes] = frozenset()
        self._last: int | None = None

    def watch(self, publishers: Iterable[bytes]) -> None:
        """Take note of who publishes; if that has changed, counting resumes with the next image.

        :param publishers: identifiers of the topic's publishers.
        """
        found = frozenset(publishers)
        if found != self._publishers:
            self._publishers = found
            self.restart()

    def restart(self) -> None:
        """Accept any number as the next one."""
        self._last = None

    def note(self, number: int | None) -> None:
        """Take note of an image.

        :param number: its sequence number; None where the middleware does not tell.
        """
        if number is None or len(self._publishers) != 1:
            return
        if self._last is not None:
            self.missing += max(0, number - self._last - 1)
        self._last = number
