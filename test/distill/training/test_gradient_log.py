"""The file, the curves and the log of the gradients' shares."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from distill.training.gradient_log import FILE, GradientLog
from distill.training.gradient_shares import Shares
from kd_seg_ros.common.errors import UserError


class Curves:
    """A logger that keeps what it is given."""

    def __init__(self) -> None:
        self.values: list[tuple[int, dict[str, float]]] = []

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        self.values.append((step, metrics))


def test_shares_are_written_and_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log = GradientLog()
    curves: Any = Curves()
    weak = {"cwd": {"backbone": 0.019, "decoder": 0.01}, "kl": {"backbone": 0.5}}
    log.write([Shares(0, weak)], [curves], tmp_path)
    log.write([Shares(9, {"cwd": {}, "kl": {}}), Shares(10, weak)], [curves], tmp_path)
    assert (tmp_path / FILE).read_text().splitlines() == [
        "step,term,part,share",
        "0,cwd,backbone,0.019",
        "0,cwd,decoder,0.01",
        "0,kl,backbone,0.5",
        "10,cwd,backbone,0.019",
        "10,cwd,decoder,0.01",
        "10,kl,backbone,0.5",
    ]
    expected = {"gradient_backbone/cwd": 0.019, "gradient_decoder/cwd": 0.01, "gradient_backbone/kl": 0.5}
    assert curves.values == [(0, expected), (10, expected)]
    first, second = caplog.messages
    assert first == (
        "gradients at step 0 as multiples of the labels': cwd 0.019 backbone, 0.01 decoder; kl 0.5 backbone"
    )
    assert second.startswith("the gradient of cwd is 1.9 % of the labels' at step 0")


def test_a_term_may_be_warned_of_once_for_each_side(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = GradientLog()
    for share in (0.01, 0.01, 20.0, 30.0):
        log.write([Shares(0, {"l2": {"decoder": share}})], [], tmp_path)
    assert [message.split(" at step")[0] for message in caplog.messages] == [
        "the gradient of l2 is 1 % of the labels'",
        "the gradient of l2 is 20 times the labels'",
    ]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone/gradients\.csv cannot be written: no such file"):
        GradientLog().write([Shares(0, {"l2": {"decoder": 1.0}})], [], tmp_path / "gone")
