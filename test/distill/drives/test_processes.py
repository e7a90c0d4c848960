from __future__ import annotations

import sys
from pathlib import Path

import pytest

from distill.drives.processes import Process, ReplayError, replay_environment


def test_a_process_that_dies_is_reported_with_its_last_lines(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; print('all well'); sys.exit('out of paint')"]
    with Process("painter", command, tmp_path / "log") as process:
        with pytest.raises(ReplayError, match=r"painter .* exit code 1(?s:.*)out of paint"):
            process.must_succeed()
        with pytest.raises(ReplayError, match="all well"):
            process.must_run()


def test_processes_do_not_outlive_their_context(tmp_path: Path) -> None:
    with Process("sleeper", ["sleep", "600"], tmp_path / "log") as process:
        process.must_run()
    assert not process.running


def test_replay_is_isolated_unless_the_user_says_otherwise() -> None:
    added = replay_environment({})
    assert 1 <= int(added["ROS_DOMAIN_ID"]) <= 101
    assert added["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert added["FASTDDS_DEFAULT_PROFILES_FILE"].endswith("fastdds_large_images.xml")
    assert replay_environment({"ROS_DISTRO": "humble"})["ROS_LOCALHOST_ONLY"] == "1"
    given = {"ROS_DOMAIN_ID": "7", "ROS_LOCALHOST_ONLY": "0", "FASTRTPS_DEFAULT_PROFILES_FILE": "mine.xml"}
    assert all(name.startswith("MALLOC_") for name in replay_environment(given))
