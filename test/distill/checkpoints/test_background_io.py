"""Checkpoints written by a thread: the state of the moment, in order, and no failure is lost."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from distill.checkpoints.background_io import BackgroundCheckpointIO, on_host
from distill.checkpoints.checkpoint_file import damage
from distill.checkpoints.lightning_io import BEST, LAST, PREVIOUS
from kd_seg_ros.common.errors import UserError

PATIENCE = 60.0


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Nothing is written until it is set."""
    opened = threading.Event()
    save: Callable[..., None] = torch.save

    def held(*args: Any, **kwargs: Any) -> None:
        assert opened.wait(PATIENCE)
        save(*args, **kwargs)

    monkeypatch.setattr(torch, "save", held)
    return opened


def test_what_is_written_is_the_state_at_the_call(tmp_path: Path, gate: threading.Event) -> None:
    network = nn.BatchNorm1d(3)
    checkpoints = BackgroundCheckpointIO()
    for epoch in range(2):
        with torch.no_grad():
            network.weight.fill_(epoch)
        state = {"epoch": epoch, "state_dict": network.state_dict(), "losses": [epoch]}
        checkpoints.save_checkpoint(state, tmp_path / (BEST, LAST)[epoch])
        state["losses"].append(7)  # type: ignore[attr-defined]
    assert not (tmp_path / BEST).exists()
    assert not (tmp_path / LAST).exists()
    gate.set()
    checkpoints.finish()
    for epoch, name in enumerate((BEST, LAST)):
        assert damage(tmp_path / name) is None
        read = checkpoints.load_checkpoint(tmp_path / name)
        assert read["epoch"] == epoch
        assert read["losses"] == [epoch]
        assert torch.equal(read["state_dict"]["weight"], torch.full((3,), float(epoch)))


def test_of_a_file_one_copy_waits_at_most(tmp_path: Path, gate: threading.Event) -> None:
    checkpoints = BackgroundCheckpointIO()
    checkpoints.save_checkpoint({"epoch": 0}, tmp_path / LAST)
    second = threading.Thread(target=checkpoints.save_checkpoint, args=({"epoch": 1}, tmp_path / LAST))
    second.start()
    second.join(0.2)
    assert second.is_alive()
    gate.set()
    second.join(PATIENCE)
    checkpoints.finish()
    assert checkpoints.load_checkpoint(tmp_path / LAST) == {"epoch": 1}
    assert checkpoints.load_checkpoint(tmp_path / PREVIOUS) == {"epoch": 0}


@pytest.mark.parametrize("noticed_by", ["raise_failure", "finish", "save_checkpoint"])
def test_a_full_disk_is_told_once_and_keeps_what_is_there(
    noticed_by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = BackgroundCheckpointIO()
    checkpoints.save_checkpoint({"epoch": 0}, tmp_path / LAST)
    checkpoints.finish()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(torch, "save", full)
        checkpoints.save_checkpoint({"epoch": 1}, tmp_path / LAST)
        checkpoints.wait()
    arguments = ({"epoch": 2}, tmp_path / LAST) if noticed_by == "save_checkpoint" else ()
    with pytest.raises(UserError, match=r"last\.ckpt|next\.ckpt: no space left on device"):
        getattr(checkpoints, noticed_by)(*arguments)
    checkpoints.finish()
    assert checkpoints.load_checkpoint(tmp_path / LAST) == {"epoch": 0}


def test_copies_share_what_the_originals_share_and_nothing_with_them() -> None:
    weight = nn.Parameter(torch.ones(2))
    network = nn.Linear(2, 2)
    value = {"a": weight, "b": [weight, (1, {"c": weight})], "state": network.state_dict(), "text": "x"}
    copied = on_host(value)
    assert copied["a"] is copied["b"][0] is copied["b"][1][1]["c"]
    assert copied["a"].data_ptr() != weight.data_ptr()
    assert not copied["a"].requires_grad
    assert copied["state"]._metadata == network.state_dict()._metadata  # type: ignore[attr-defined]
    assert copied["text"] == "x"
    with torch.no_grad():
        weight.zero_()
        network.weight.zero_()
    assert copied["a"].tolist() == [1, 1]
    assert copied["state"]["weight"].any()
