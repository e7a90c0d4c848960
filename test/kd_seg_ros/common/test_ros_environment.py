from __future__ import annotations

import os

import pytest

from kd_seg_ros.common.ros_environment import isolate_this_process, isolated_domain, isolated_environment


@pytest.fixture(autouse=True)
def _room_in_shared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kd_seg_ros.common.fast_dds._has_room", bool)


def test_a_replay_is_isolated_unless_the_user_says_otherwise() -> None:
    added = isolated_environment({})
    assert 1 <= int(added["ROS_DOMAIN_ID"]) <= 101
    assert added["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert added["FASTDDS_DEFAULT_PROFILES_FILE"].endswith("fastdds_large_images.xml")
    assert isolated_environment({"ROS_DISTRO": "humble"})["ROS_LOCALHOST_ONLY"] == "1"
    given = {"ROS_DOMAIN_ID": "7", "ROS_LOCALHOST_ONLY": "0", "FASTRTPS_DEFAULT_PROFILES_FILE": "mine.xml"}
    assert all(name.startswith("MALLOC_") for name in isolated_environment(given))
    assert isolated_domain(given) == {}


def test_this_process_is_isolated_whatever_the_robot_is_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"ROS_DOMAIN_ID": "200", "ROS_LOCALHOST_ONLY": "0", "HOME": "/here"})
    isolate_this_process()
    assert 1 <= int(os.environ["ROS_DOMAIN_ID"]) <= 101
    assert os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert "ROS_LOCALHOST_ONLY" not in os.environ
    assert os.environ["HOME"] == "/here"
