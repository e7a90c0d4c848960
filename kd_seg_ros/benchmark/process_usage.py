"""What a process uses of the machine, from Linux' /proc."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from kd_seg_ros.common.errors import UserError


@dataclass(frozen=True)
class Usage:
    """What a process uses of the machine at one moment."""

    cpu_s: float
    """Processor time since its start."""
    rss_mb: float
    """Resident memory, with Fast DDS's shared segments as far as they were touched."""
    private_mb: float
    """The part of it that belongs to the process alone: heap and stacks."""
    threads: int
    files: int
    """Open file descriptors."""


def usage(pid: int) -> Usage:
    """Read what a process uses.

    :raises UserError: if it is gone, or without Linux' /proc.
    """
    folder = Path("/proc") / str(pid)
    try:
        # The name, in brackets, may hold anything; utime and stime are the 12th and 13th field after it.
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        lines = (folder / "status").read_text().splitlines()
        files = len(list((folder / "fd").iterdir()))
    except OSError as error:
        raise UserError(
            f"process {pid} cannot be looked at (it ended, or this is no Linux): {error}"
        ) from error
    status = dict(line.split(":", 1) for line in lines if ":" in line)
    megabytes = {key: int(status[key].split()[0]) / 1024 for key in ("VmRSS", "RssAnon")}
    ticks = int(fields[11]) + int(fields[12])
    cpu = ticks / os.sysconf("SC_CLK_TCK")
    return Usage(cpu, megabytes["VmRSS"], megabytes["RssAnon"], int(status["Threads"]), files)
