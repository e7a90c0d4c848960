"""Failures of PyTorch and of the machine during training, told in one line with what to do."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import torch

from distill.checkpoints.lightning_io import LAST
from distill.config import Config
from kd_seg_ros.common.files import reason

_MEMORY = Path("/proc/meminfo")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
"""Numbers of the system's errors when a disk takes no more."""


def remedy(error: Exception, config: Config) -> str:
    """Return what a user can do about an error of PyTorch or of the machine; empty if it is not known."""
    text = str(error)
    if "Error(s) in loading state_dict" in text:
        return "the run to resume has another network or other feature losses: start a new run, with --name"
    if "more than 1 value per channel" in text:
        return (
            "BatchNorm needs more than one value per channel, and the coarsest map of a batch has one: raise "
            "training.batch_size or data.crop"
        )
    if "DataLoader worker" in text or "DataLoader worker" in str(error.__cause__):
        return _of_worker(text, config)
    if isinstance(error, torch.OutOfMemoryError):
        return f"the GPU's memory{_gpu_memory()} is too small for {_step(config)}: {_smaller(config)}"
    if (
        isinstance(error, OSError) and error.errno in _FULL
    ):  # of a logger's file: checkpoints say it themselves
        place = error.filename or config.run_folder
        return f"{place} cannot be written: {reason(error)}; {_what_is_saved(config)}"
    if isinstance(error, MemoryError) or "can't allocate memory" in text:
        return f"this machine's memory{_host_memory()} is too small for {_step(config)}: {_smaller(config)}"
    return ""


def _what_is_saved(config: Config) -> str:
    """Say how a run can be continued that an error has ended."""
    return "--resume resumes the run" if (config.run_folder / LAST).is_file() else "nothing is saved yet"


def _of_worker(text: str, config: Config) -> str:
    """Say why a process that reads images may have ended."""
    if "shared memory" in text or "Bus error" in text:
        return (
            "a process that reads images ended because /dev/shm is full: start the container with a larger "
            f"--shm-size, or lower --data.workers; {_what_is_saved(config)}"
        )
    signal = re.search(r"killed by signal: (\w+)", text)
    how = f" by signal {signal[1]}" if signal else ""
    return (
        f"a process that reads images was ended{how} from outside, most likely because the machine ran out "
        f"of memory{_host_memory()}: lower --data.workers or training.batch_size; {_what_is_saved(config)}"
    )


def _step(config: Config) -> str:
    """Describe what a step has in memory."""
    height, width = config.train_size
    size = config.training.batch_size
    return f"a step of training.batch_size {size} with crops of {width}×{height} pixels"


def _smaller(config: Config) -> str:
    """Say which settings take less memory, with the same number of images per change of the weights."""
    size, accumulate = config.training.batch_size, config.training.accumulate
    smaller = f"--training.batch_size {size // 2} --training.accumulate {2 * accumulate}" if size > 1 else ""
    return f"give {smaller}, or a smaller data.crop" if smaller else "give a smaller data.crop"


def _gpu_memory() -> str:
    if not torch.cuda.is_available():
        return ""
    return f" ({torch.cuda.get_device_properties(0).total_memory / 1e9:.1f} GB)"


def _host_memory() -> str:
    """Return the size of the machine's memory, and how much of it is free, in brackets; empty if unknown."""
    try:
        text = _MEMORY.read_text(encoding="ascii")
    except OSError:
        return ""
    sizes = {key: 1024 * int(value) / 1e9 for key, value in re.findall(r"(\w+):\s+(\d+) kB", text)}
    if "MemTotal" not in sizes or "MemAvailable" not in sizes:
        return ""
    return f" ({sizes['MemTotal']:.1f} GB, of which {sizes['MemAvailable']:.1f} GB are free)"
