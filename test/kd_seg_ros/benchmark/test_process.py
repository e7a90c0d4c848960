from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from held_memory import held_memory

from kd_seg_ros.benchmark.process import Child, isolated_environment, usage
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


def test_the_environment_keeps_what_the_user_has_set() -> None:
    mine = {"FASTDDS_DEFAULT_PROFILES_FILE": "mine.xml"}
    added = isolated_environment(mine)
    assert not added.keys() & mine.keys()
    assert 1 <= int(added["ROS_DOMAIN_ID"]) <= 101
    assert added["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert isolated_environment({"ROS_DISTRO": "humble"})["ROS_LOCALHOST_ONLY"] == "1"


def test_a_child_that_fails_is_quoted() -> None:
    with Child("kd_seg_ros.benchmark.bare_run", "nowhere.onnx", "image", "--size", "0", "x") as child:
        with pytest.raises(UserError, match=r"benchmark\.bare_run ended: .*error: argument --size"):
            child.wait_for("ready:")
        with pytest.raises(UserError, match="ended with status 2"):
            child.check()
        with pytest.raises(UserError, match="gave no result"):
            child.result()
