"""The folder of a run: one `fit` at a time, and nothing deleted but what `fit` has made."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from distill.training.run_folder import LOCK_FILE, locked, prepare_run_folder
from kd_seg_ros.common.errors import UserError

HOLD = """
import fcntl, sys
file = open(sys.argv[1], "r+")
fcntl.flock(file, fcntl.LOCK_EX)
print(flush=True)
input()
"""


def earlier_run(folder: Path) -> Path:
    for name in (
        "config.yaml",
        "last.ckpt",
        "best.ckpt.tmp",
        "gradients.csv",
        "tensorboard/events",
        "csv/metrics.csv",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return folder


def test_a_second_process_is_refused_and_named(tmp_path: Path) -> None:
    lock = tmp_path / LOCK_FILE
    lock.write_text("4711")
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    with (
        pytest.raises(UserError, match=r"another `fit` \(process 4711\) trains in .*: wait"),
        locked(tmp_path),
    ):
        pass
    process.communicate(b"\n")
    with locked(tmp_path):  # that process has ended without deleting its file
        assert lock.read_text() == str(os.getpid())
    assert not list(tmp_path.iterdir())


def test_not_even_within_one_process_do_two_train_in_one_folder(tmp_path: Path) -> None:
    with locked(tmp_path / "run"), pytest.raises(UserError, match="another `fit`"), locked(tmp_path / "run"):
        pass
    with locked(tmp_path / "run"):
        pass


def test_overwriting_keeps_what_fit_did_not_make_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = earlier_run(tmp_path / "run")
    (folder / "notes.txt").write_text("mine")
    with locked(folder):
        prepare_run_folder(folder, overwrite=True)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    assert len(caplog.messages) == 1
    assert caplog.messages[0].endswith("notes.txt")


def test_nothing_is_deleted_without_being_asked_or_in_a_folder_that_is_no_runs(tmp_path: Path) -> None:
    folder = earlier_run(tmp_path / "run")
    before = sorted(folder.rglob("*"))
    with pytest.raises(UserError, match="already holds a run"):
        prepare_run_folder(folder, overwrite=False)
    (folder / "config.yaml").rename(tmp_path / "config.yaml")
    with pytest.raises(UserError, match="is no run of `fit`"):
        prepare_run_folder(folder, overwrite=True)
    (tmp_path / "config.yaml").rename(folder / "config.yaml")
    assert sorted(folder.rglob("*")) == before


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be made"), locked(tmp_path / "file" / "run"):
        pass


def test_a_forked_child_does_not_keep_the_lock_of_a_parent_that_is_gone(tmp_path: Path) -> None:
    """As the processes that read the data, which outlive a killed parent by some seconds."""
    started, ready = os.pipe()
    parent = os.fork()
    if parent == 0:
        try:
            with locked(tmp_path):
                if os.fork() == 0:
                    os.write(ready, str(os.getpid()).encode())
                time.sleep(600)
        finally:
            os._exit(1)  # never back into the tests
    child = int(os.read(started, 20))
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    try:
        with locked(tmp_path):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.close(started)
        os.close(ready)
