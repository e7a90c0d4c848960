"""Fast DDS is given room for large images unless the user has chosen otherwise, or the room is not there."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kd_seg_ros.common import fast_dds
from kd_seg_ros.common.fast_dds import MEMORY, PROFILES, large_image_environment, prepare_large_images
from kd_seg_ros.common.shared_memory import NEEDED

FAST_DDS, FAST_RTPS = PROFILES


def pretend_room(monkeypatch: pytest.MonkeyPatch, mebibytes: int) -> None:
    free: Any = SimpleNamespace(f_bavail=mebibytes, f_frsize=2**20)
    monkeypatch.setattr(os, "statvfs", lambda _: free)


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment and a folder without settings, and room in shared memory."""
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.chdir(tmp_path)
    pretend_room(monkeypatch, 1024)


def test_the_shipped_profile_unless_the_user_has_one() -> None:
    prepared = prepare_large_images()
    file = os.environ[FAST_DDS]
    assert Path(file).name == "fastdds_large_images.xml"
    assert Path(file).is_file()
    assert file in prepared
    assert FAST_DDS in prepared
    assert "\n" not in prepared
    assert prepare_large_images() == "", "once is enough"


@pytest.mark.parametrize("name", fast_dds.OWN_CHOICES)
def test_a_users_own_choice_stays(name: str) -> None:
    os.environ[name] = "mine"
    assert prepare_large_images() == ""
    assert set(PROFILES) & os.environ.keys() <= {name}
    assert os.environ[name] == "mine"
    assert large_image_environment({name: "mine"}) == MEMORY


def test_settings_in_the_current_folder_stay(tmp_path: Path) -> None:
    (tmp_path / "DEFAULT_FASTDDS_PROFILES.xml").touch()
    assert prepare_large_images() == ""
    assert large_image_environment({}) == MEMORY


@pytest.mark.parametrize(
    ("middleware", "fast"), [("rmw_cyclonedds_cpp", False), ("rmw_fastrtps_dynamic_cpp", True), ("", True)]
)
def test_other_middlewares_have_no_use_for_it(middleware: str, fast: bool) -> None:
    assert (FAST_DDS in large_image_environment({"RMW_IMPLEMENTATION": middleware})) == fast
    os.environ["RMW_IMPLEMENTATION"] = middleware
    assert bool(prepare_large_images()) == fast


def test_each_distribution_has_its_variable() -> None:
    os.environ["ROS_DISTRO"] = "jazzy"
    assert FAST_RTPS in prepare_large_images()
    assert FAST_RTPS in os.environ


def test_without_room_in_shared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container with docker's default of 64 MB, where no segment could be made at all."""
    pretend_room(monkeypatch, 64)
    assert "/dev/shm has no room for 64 MiB" in prepare_large_images()
    assert FAST_DDS not in os.environ
    assert large_image_environment({}) == MEMORY
    pretend_room(monkeypatch, 200)
    assert FAST_DDS in large_image_environment({}, processes=2)
    assert large_image_environment({}, processes=3) == MEMORY


def test_what_fast_dds_reads_exists_in_every_layout() -> None:
    assert fast_dds.share_path(fast_dds.SHIPPED).is_file()
    assert f"<segment_size>{NEEDED}</segment_size>" in (fast_dds.share_path(fast_dds.SHIPPED).read_text())
