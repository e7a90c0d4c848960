"""Keys of the terminal while a bag is played; the same as those of ``ros2 bag play``, and ``s``."""

from __future__ import annotations

import enum
import os
import select
import sys
import termios
import time
import tty
from collections import deque
from contextlib import suppress
from typing import Any, Final

HELP: Final = "space: pause or resume, s or →: next message while paused, ↑ ↓: 10 % faster or slower"


class Key(enum.Enum):
    """The actions that keys stand for."""

    PAUSE = "pause or resume"
    NEXT = "the next message"
    FASTER = "faster"
    SLOWER = "slower"


_KEYS: Final = {
    b" ": Key.PAUSE,
    b"s": Key.NEXT,
    **{start + b"C": Key.NEXT for start in (b"\x1b[", b"\x1bO")},  # O: the keypad's application mode
    **{start + b"A": Key.FASTER for start in (b"\x1b[", b"\x1bO")},
    **{start + b"B": Key.SLOWER for start in (b"\x1b[", b"\x1bO")},
}


class Keyboard:
    """Reads single keys while its context lasts, and leaves the terminal as it found it.

    Where standard input is no terminal, or another process has it, there are no keys: it only waits.
    """

    def __init__(self, enabled: bool = True) -> None:
        self._terminal = _own_terminal() if enabled else None
        self._before: list[Any] | None = None
        self._rest = b""
        self._typed: deque[Key] = deque()

    @property
    def active(self) -> bool:
        """Whether a terminal is there to read keys from."""
        return self._before is not None

    def __enter__(self) -> Keyboard:
        if self._terminal is not None:
            self._before = termios.tcgetattr(self._terminal)
            tty.setcbreak(self._terminal)
        return self

    def __exit__(self, *_: object) -> None:
        if self._terminal is not None and self._before is not None:
            with suppress(termios.error):  # the terminal has been closed
                termios.tcsetattr(self._terminal, termios.TCSADRAIN, self._before)
            self._before = None

    def wait(self, seconds: float) -> Key | None:
        """Return the next key that was typed, or None if none is within ``seconds``."""
        seconds = max(seconds, 0.0)
        if not self._typed and self._terminal is not None and self._before is not None:
            if select.select([self._terminal], [], [], seconds)[0]:
                self._read(self._terminal)
        elif not self._typed:
            time.sleep(seconds)
        return self._typed.popleft() if self._typed else None

    def _read(self, terminal: int) -> None:
        try:
            text = os.read(terminal, 64)
        except OSError:
            text = b""
        if not text:  # the terminal has been closed
            self._before = None
        keys, self._rest = parse_keys(self._rest + text)
        self._typed.extend(keys)


def parse_keys(typed: bytes) -> tuple[list[Key], bytes]:
    """Return the keys that were typed, without those of no meaning, and what may be the start of one."""
    keys: list[Key] = []
    while typed:
        if len(typed) < 3 and any(code.startswith(typed) and code != typed for code in _KEYS):
            return keys, typed
        length = 3 if typed[:3] in _KEYS else 1
        if (key := _KEYS.get(typed[:length])) is not None:
            keys.append(key)
        typed = typed[length:]
    return keys, b""


def _own_terminal() -> int | None:
    """Return standard input's descriptor if it is a terminal that this process may read from."""
    try:
        terminal = sys.stdin.fileno()
        # Changing the terminal from the background would stop this process.
        if os.isatty(terminal) and os.tcgetpgrp(terminal) == os.getpgrp():
            return terminal
    except (AttributeError, OSError, ValueError):  # there is no standard input, or it is closed
        pass
    return None
