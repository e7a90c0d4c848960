"""An install prefix that the ament index knows this package in, for launch files."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def install_prefix(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make ``folder`` that prefix, with the checkout's config/; unset what launch files look at."""
    index = folder / "share/ament_index/resource_index/packages"
    index.mkdir(parents=True)
    (index / "kd_seg_ros").touch()
    (folder / "share/kd_seg_ros").mkdir()
    (folder / "share/kd_seg_ros/config").symlink_to(ROOT / "config")
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(folder))
    monkeypatch.setattr("kd_seg_ros.common.fast_dds._has_room", bool)  # for any number of processes
    for name in (
        *("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE", "ROS_DISTRO"),
        *("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"),
    ):
        monkeypatch.delenv(name, raising=False)
    return folder
