"""SIGINT and SIGTERM: they end the program at once, or at the next point where nothing is lost."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


class Interrupted(KeyboardInterrupt):
    """Raised by a signal that comes while nothing must be finished first."""


class Interruption:
    """Watches for both signals while its context lasts; after the first one, further ones are ignored."""

    signal = 0
    """Number of the signal that came; 0: none yet."""

    def __init__(self) -> None:
        self._deferred = False

    def __enter__(self) -> Interruption:
        numbers = (signal.SIGINT, signal.SIGTERM)
        self._handlers = {number: signal.signal(number, self._request) for number in numbers}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def requested(self) -> bool:
        """Return whether a signal has come."""
        return self.signal != 0

    @property
    def status(self) -> int:
        """Exit status of a process that this signal has ended, as a shell reports it: 128 + its number."""
        return 128 + self.signal

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Note a signal within this context only, see :meth:`requested`; outside it raises an exception."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

    def _request(self, number: int, _: object) -> None:
        if self.signal:
            return
        self.signal = number
        if not self._deferred:
            raise Interrupted
