from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.share import share_path

CHECKOUT = Path(__file__).parents[3]


def pretend_ament(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    """Install a stand-in for ament_index_python that gives ``answer``, or raises it."""

    def get_package_share_directory(name: str) -> str:
        assert name == "kd_seg_ros"
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    packages = ModuleType("ament_index_python.packages")
    packages.get_package_share_directory = get_package_share_directory  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ament_index_python", ModuleType("ament_index_python"))
    monkeypatch.setitem(sys.modules, "ament_index_python.packages", packages)


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_ros_install_before_environment_before_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "env"))
    pretend_ament(monkeypatch, tmp_path / "ros")
    assert share_path("resource/kd_seg_ros") == CHECKOUT / "resource" / "kd_seg_ros"
    in_env = touch(tmp_path / "env" / "share" / "kd_seg_ros" / "resource" / "kd_seg_ros")
    assert share_path("resource/kd_seg_ros") == in_env
    in_ros = touch(tmp_path / "ros" / "resource" / "kd_seg_ros")
    assert share_path("resource/kd_seg_ros") == in_ros


@pytest.mark.parametrize("error", [LookupError("not found"), ImportError("no ROS")])
def test_without_a_ros_install(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_ament(monkeypatch, error)
    assert share_path("package.xml").read_text().startswith("<?xml")


def test_without_ament_index_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ament_index_python", None)
    monkeypatch.setitem(sys.modules, "ament_index_python.packages", None)
    assert share_path("package.xml").is_file()


def test_missing_file_names_the_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_ament(monkeypatch, tmp_path / "ros")
    with pytest.raises(UserError) as caught:
        share_path("resource/no_such.onnx")
    for part in ("resource/no_such.onnx", str(tmp_path / "ros"), sys.prefix, str(CHECKOUT)):
        assert part in str(caught.value)
