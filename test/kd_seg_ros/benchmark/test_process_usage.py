from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from held_memory import held_memory

from kd_seg_ros.benchmark.process_usage import usage
from kd_seg_ros.common.errors import UserError

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux' /proc")


def test_usage_counts_threads_files_memory_and_time() -> None:
    before = usage(os.getpid())
    release = threading.Event()
    threads = [threading.Thread(target=release.wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    with held_memory(64 << 20), Path(os.devnull).open() as _, Path(os.devnull).open() as _:
        now = usage(os.getpid())
    release.set()
    assert now.threads - before.threads == 3
    assert now.files - before.files == 2
    assert 60 < now.private_mb - before.private_mb < 80
    assert now.rss_mb >= now.private_mb
    used = os.times()
    assert now.cpu_s == pytest.approx(used.user + used.system, abs=0.5)


def test_a_process_that_is_gone() -> None:
    with pytest.raises(UserError, match=r"process 4194305 cannot be looked at"):
        usage(4194305)  # above the largest there is
