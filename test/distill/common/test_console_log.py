"""What commands show of the log."""

from __future__ import annotations

import logging

import pytest

from distill.common.console_log import show_log

LOGGER = logging.getLogger("distill.some.module")


def test_messages_go_to_standard_error_once_and_warnings_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    show_log()
    show_log()
    LOGGER.info("resuming from %s", "last.ckpt")
    LOGGER.warning("not calibrated")
    LOGGER.debug("not shown")
    printed = capsys.readouterr()
    assert printed.err == "resuming from last.ckpt\nwarning: not calibrated\n"
    assert printed.out == ""


def test_quiet_leaves_the_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    show_log(quiet=True)
    LOGGER.info("resuming")
    LOGGER.warning("not calibrated")
    assert capsys.readouterr().err == "warning: not calibrated\n"
    show_log()
    LOGGER.info("resuming")
    assert capsys.readouterr().err == "resuming\n"
