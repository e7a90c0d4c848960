from __future__ import annotations

import logging

import pytest

from kd_seg_ros.common.logs import progress_shown, terminal_logging


def test_library_code_is_silent_until_a_command_asks(capsys: pytest.CaptureFixture[str]) -> None:
    assert not progress_shown()
    logging.getLogger("distill.made_up").info("training")
    assert capsys.readouterr() == ("", "")


def test_information_is_plain_and_the_rest_says_its_level(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("distill.made_up")
    with terminal_logging():
        assert progress_shown()
        logger.debug("never")
        logger.info("%d images", 3)
        logger.warning("no labels")
        logger.error("lost")
    assert capsys.readouterr() == ("", "3 images\nwarning: no labels\nerror: lost\n")
    logger.info("afterwards")
    assert capsys.readouterr() == ("", "")
    assert not progress_shown()


def test_quiet_keeps_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("kd_seg_ros.made_up")
    with terminal_logging(quiet=True):
        assert not progress_shown()
        logger.info("segmenting")
        logger.warning("slow")
    assert capsys.readouterr() == ("", "warning: slow\n")


def test_other_packages_are_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal_logging():
        logging.getLogger("made_up_package").info("a detail of theirs")
    assert capsys.readouterr() == ("", "")
