"""Jobs in several processes: their results, and their end."""

from __future__ import annotations

import operator
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from process_children import all_end, wait_for_children

from distill.common.parallel import run_jobs

WORKER_AND_IDLE_WORKER = """
import time
from distill.common.parallel import run_jobs

if __name__ == "__main__":
    list(run_jobs(time.sleep, [600, 600, 600, 600, 0], 2, "sleep"))
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_jobs(workers: int) -> None:
    assert list(run_jobs(operator.neg, list(range(10)), workers, "negate")) == list(range(0, -10, -1))


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_worker_outlives_the_program(tmp_path: Path, number: signal.Signals) -> None:
    """Jobs are handed out four at a time: one worker is busy with its first, the other waits for more."""
    script = tmp_path / "program.py"
    script.write_text(WORKER_AND_IDLE_WORKER)
    with subprocess.Popen([sys.executable, str(script)], stderr=subprocess.DEVNULL) as program:
        workers = wait_for_children(program.pid, 3)  # with Python's own, which looks after shared memory
        time.sleep(0.5)
        program.send_signal(number)
        ended = all_end(workers)
        program.kill()
    assert ended
