"""Runs a function of a test file in two processes of one torch.distributed group (gloo).

The function stands at the top level of its file and takes no arguments. What it returns, tensors in dicts and
lists, comes back in the order of the ranks. Starting costs seconds: let one call answer many questions.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import distributed

PROCESSES = 2
PATIENCE = timedelta(seconds=400)
"""For one process to wait for the other, which then fails."""

ROOT = Path(__file__).parents[2]


def in_two_processes(function: Callable[[], Any], folder: Path) -> list[Any]:
    """Return what ``function`` returns in process 0 and in process 1; ``folder`` is empty."""
    paths = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    # The loopback interface: a machine's own name need not be resolvable.
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    command = [sys.executable, __file__, inspect.getfile(function), function.__name__, str(folder)]
    processes = []
    for rank in range(PROCESSES):
        with (folder / f"{rank}.log").open("w") as log:
            processes.append(subprocess.Popen([*command, str(rank)], env=environment, stdout=log, stderr=log))
    try:
        failed = [rank for rank, process in enumerate(processes) if process.wait(2 * PATIENCE.seconds)]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    logs = "\n".join(f"process {rank}: {(folder / f'{rank}.log').read_text()}" for rank in failed)
    assert not failed, logs
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(PROCESSES)]


def _run(file: str, name: str, folder: Path, rank: int) -> None:
    """Be one of the processes."""
    spec = importlib.util.spec_from_file_location("checks", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    meeting = f"file://{folder / 'meeting'}"
    distributed.init_process_group(
        "gloo", init_method=meeting, rank=rank, world_size=PROCESSES, timeout=PATIENCE
    )
    torch.save(getattr(module, name)(), folder / f"{rank}.pt")
    distributed.destroy_process_group()


if __name__ == "__main__":
    _run(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
