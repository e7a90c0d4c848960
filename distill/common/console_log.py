"""Shows on the terminal what the library logs. Commands use it; other programs set up logging as they like.

Everything goes to standard error, so that standard output holds a command's result alone.
"""

from __future__ import annotations

import logging
import sys

LOGGERS = ("distill", "kd_seg_ros")
"""The parents of all loggers of this project."""


class ConsoleHandler(logging.Handler):
    """Prints each record's message on a line of its own; warnings and errors begin with what they are."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record to standard error, whichever file that is at this moment."""
        prefix = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        print(prefix + self.format(record), file=sys.stderr, flush=True)


def show_log(quiet: bool = False) -> None:
    """Print what this project logs; calling it again changes only the level.

    :param quiet: print warnings and errors only.
    """
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.WARNING if quiet else logging.INFO)
        if not any(isinstance(handler, ConsoleHandler) for handler in logger.handlers):
            logger.addHandler(ConsoleHandler())
