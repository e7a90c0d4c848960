"""SIGINT and SIGTERM as a question that a loop asks, for programs that wait inside rclpy."""

from __future__ import annotations

import signal


class StopRequest:
    """Set by the first SIGINT or SIGTERM; further ones are ignored, so that they cannot break the clean-up.

    rclpy waits in C, where a KeyboardInterrupt would do harm.
    """

    requested = False
    """Whether a signal has come."""

    def __init__(self) -> None:
        """Take over both signals; call it in the main thread."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._request)

    def __call__(self) -> bool:
        """Return :attr:`requested`."""
        return self.requested

    def _request(self, *_: object) -> None:
        self.requested = True
