"""What library code logs, on its way to the node's logger."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from kd_seg_ros.node.ros_log_handler import forward_logs


class Recorder:
    """Stands for a ROS logger."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def error(self, text: str) -> None:
        self.lines.append(("error", text))

    def warning(self, text: str) -> None:
        self.lines.append(("warning", text))

    def info(self, text: str) -> None:
        self.lines.append(("info", text))

    def debug(self, text: str) -> None:
        self.lines.append(("debug", text))


@pytest.fixture
def package_logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("kd_seg_ros")
    level, handlers = logger.level, logger.handlers
    logger.setLevel(logging.DEBUG)
    yield logger
    logger.setLevel(level)
    logger.handlers = handlers


def test_each_level_becomes_that_of_ros(package_logger: logging.Logger) -> None:
    recorder = Recorder()
    forward_logs(recorder)
    child = logging.getLogger("kd_seg_ros.inference.session")
    child.debug("a %d", 1)
    child.info("b")
    child.warning("c")
    child.error("d")
    child.critical("e")
    logging.getLogger("another.package").warning("not ours")
    assert recorder.lines == [
        ("debug", "a 1"),
        ("info", "b"),
        ("warning", "c"),
        ("error", "d"),
        ("error", "e"),
    ]


def test_a_second_node_replaces_the_first(package_logger: logging.Logger) -> None:
    first, second = Recorder(), Recorder()
    forward_logs(first)
    forward_logs(second)
    package_logger.warning("once")
    assert (first.lines, second.lines) == ([], [("warning", "once")])
    forward_logs(None)
    package_logger.warning("after the end")
    assert len(second.lines) == 1
