"""What the library code logs, passed on to the node's logger and so to ``/rosout``."""

from __future__ import annotations

import logging
from typing import Any

from kd_seg_ros import __name__ as package


def forward_logs(logger: Any | None) -> None:
    """Send what this package's library code logs to a node's logger, and nowhere else.

    :param logger: of :meth:`rclpy.node.Node.get_logger`; None ends it. It replaces that of an earlier node in
        this process.
    """
    logging.getLogger(package).handlers = [RosLogHandler(logger)] if logger else []


class RosLogHandler(logging.Handler):
    """Hands records of Python's ``logging`` to a ROS logger, with the level that fits."""

    def __init__(self, logger: Any) -> None:
        """Make the handler.

        :param logger: of :meth:`rclpy.node.Node.get_logger`.
        """
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record's message."""
        text = record.getMessage()
        # One line of code for each level: rclpy refuses a call that changes its level.
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        elif record.levelno >= logging.INFO:
            self._logger.info(text)
        else:
            self._logger.debug(text)
