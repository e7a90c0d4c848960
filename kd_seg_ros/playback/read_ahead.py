"""Reading some seconds ahead in a second thread, so that a slow disk does not delay a message."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from threading import Condition, Thread
from typing import Final, NamedTuple

LIMIT_BYTES: Final = 128 * 2**20
"""Largest number of bytes read ahead: about 20 images of 1920×1080 in rgb8."""
_LIMIT_MESSAGES: Final = 10_000
_LOOK_S: Final = 0.05  # how long the question whether to give up may wait


class Recorded(NamedTuple):
    """A message as it was recorded."""

    topic: str
    time: int
    """Log time, ns."""
    raw: bytes


class ReadAhead:
    """Hands on what an iterator yields, which a thread has read before it was asked for."""

    def __init__(self, source: Iterator[Recorded | None], limit_bytes: int = LIMIT_BYTES) -> None:
        """Start the reading thread.

        :param source: used in the thread only. None ends a round; the next one may follow.
        :param limit_bytes: how much may wait to be taken (one message always may).
        """
        self._source = source
        self._limit = limit_bytes
        self._changed = Condition()
        self._waiting: deque[Recorded | None] = deque()
        self._bytes = 0
        self._ended = self._closed = False
        self._error: BaseException | None = None
        self._thread = Thread(target=self._read, name="read ahead", daemon=True)
        self._thread.start()

    def fill(self, give_up: Callable[[], bool]) -> None:
        """Wait until no more may wait, the round is complete, or ``give_up`` says so."""
        self._wait(lambda: self._ended or self._full() or None in self._waiting, give_up)

    def round(self, give_up: Callable[[], bool]) -> Iterator[Recorded]:
        """Yield the messages of one round; end early as soon as ``give_up`` says so.

        Whatever the source raises is raised here, after the messages before it.
        """
        while True:
            message = self._take(give_up)
            if message is None:
                return
            yield message

    def close(self) -> None:
        """End the reading thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _take(self, give_up: Callable[[], bool]) -> Recorded | None:
        self._wait(lambda: bool(self._waiting) or self._ended, give_up)
        with self._changed:
            if give_up():
                return None
            if not self._waiting:
                if self._error is not None:
                    raise self._error
                return None
            message = self._waiting.popleft()
            self._bytes -= _size(message)
            self._changed.notify_all()
            return message

    def _wait(self, condition: Callable[[], bool], give_up: Callable[[], bool]) -> None:
        with self._changed:
            while not condition() and not give_up():
                self._changed.wait(_LOOK_S)

    def _full(self) -> bool:
        return bool(self._waiting) and (self._bytes >= self._limit or len(self._waiting) >= _LIMIT_MESSAGES)

    def _read(self) -> None:
        try:
            for message in self._source:
                with self._changed:
                    self._waiting.append(message)
                    self._bytes += _size(message)
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: self._closed or not self._full())
                    if self._closed:
                        break
        except Exception as error:
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify_all()


def _size(message: Recorded | None) -> int:
    return 0 if message is None else len(message.raw)
