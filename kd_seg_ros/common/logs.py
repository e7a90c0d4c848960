"""What a command says on the terminal, next to its results: log lines and progress, on standard error.

Library code logs to ``logging.getLogger(__name__)`` and asks :func:`progress_shown` before it draws a
progress bar. As long as nobody calls :func:`terminal_logging`, it is silent apart from warnings, so it can be
used from Python.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

HALVES: Final = ("kd_seg_ros", "distill")
"""The loggers of the project's two halves; those of other packages are left alone."""


class TerminalHandler(logging.Handler):
    """Writes to whatever ``sys.stderr`` is at that moment: information plain, all else with its level."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        print(f"{level}{self.format(record)}", file=sys.stderr, flush=True)


@contextmanager
def terminal_logging(quiet: bool = False) -> Iterator[None]:
    """Print the log of both halves while the context lasts.

    :param quiet: warnings and errors only, and no progress bars.
    """
    handler = TerminalHandler()
    loggers = [logging.getLogger(half) for half in HALVES]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.WARNING if quiet else logging.INFO)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)


def progress_shown() -> bool:
    """Say whether progress bars are wanted: where informational log lines are."""
    return logging.getLogger(HALVES[0]).isEnabledFor(logging.INFO)
