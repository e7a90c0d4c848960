"""Failures of PyTorch and of the machine, as PyTorch words them, in one line with what to do."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch

from distill.config import parse_config
from distill.training.remedy import remedy

CONFIG = parse_config(
    {
        "name": "x",
        "data": {"root": ".", "crop": [100, 200], "working_scale": 1.0},
        "student": {"model": "pidnet_s"},
        "training": {"batch_size": 8, "accumulate": 2},
    },
    "here",
)
KILLED = "DataLoader worker (pid 4711) is killed by signal: Killed. "
BUS = (
    "DataLoader worker (pid 4711) is killed by signal: Bus error. It is possible that dataloader's workers "
    "are out of shared memory. Please try to raise your shared memory limit."
)
CPU = (
    "[enforce fail at alloc_cpu.cpp:119] . DefaultCPUAllocator: can't allocate memory: you tried to allocate"
)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError(KILLED), ["by signal Killed", "GB are free", "--data.workers", "nothing is saved yet"]),
        (RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly"), ["ended from outside"]),
        (RuntimeError(BUS), ["/dev/shm is full", "--shm-size"]),
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
            ["the GPU's memory", "200×100", "--training.batch_size 4 --training.accumulate 4"],
        ),
        (RuntimeError(CPU), ["this machine's memory", "batch_size 8", "data.crop"]),
        (MemoryError(), ["this machine's memory"]),
        (
            OSError(errno.ENOSPC, "No space left on device", "x.csv"),
            ["x.csv cannot be written: no space left"],
        ),
        (RuntimeError("Error(s) in loading state_dict for X"), ["another network"]),
        (ValueError("Expected more than 1 value per channel when training"), ["BatchNorm"]),
    ],
)
def test_what_to_do_is_one_line(error: Exception, words: list[str]) -> None:
    advice = remedy(error, CONFIG)
    assert "\n" not in advice
    for word in words:
        assert word in advice


def test_a_run_can_be_resumed_once_something_is_saved(tmp_path: Path) -> None:
    saved = CONFIG.model_copy(update={"out": str(tmp_path)})
    (tmp_path / "x").mkdir()
    for error in (RuntimeError(KILLED), RuntimeError(BUS), OSError(errno.EFBIG, "File too large")):
        (tmp_path / "x" / "last.ckpt").unlink(missing_ok=True)
        assert remedy(error, saved).endswith("; nothing is saved yet")
        (tmp_path / "x" / "last.ckpt").touch()
        assert remedy(error, saved).endswith("; --resume resumes the run")


def test_other_errors_are_left_alone() -> None:
    assert remedy(FileNotFoundError(errno.ENOENT, "No such file or directory"), CONFIG) == ""
    assert remedy(RuntimeError("mat1 and mat2 shapes cannot be multiplied"), CONFIG) == ""


def test_a_batch_of_one_cannot_be_halved() -> None:
    single = CONFIG.model_copy(update={"training": CONFIG.training.model_copy(update={"batch_size": 1})})
    assert "--training.batch_size" not in remedy(MemoryError(), single)
