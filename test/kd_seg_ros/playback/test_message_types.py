"""A bag names message types; nothing but message packages is imported for them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("sensor_msgs")

from kd_seg_ros.playback.message_types import message_class


def test_installed_types() -> None:
    from sensor_msgs.msg import CompressedImage, PointCloud2

    assert message_class("sensor_msgs/msg/CompressedImage") is CompressedImage
    assert message_class("sensor_msgs/msg/PointCloud2") is PointCloud2


@pytest.mark.parametrize(
    "name", ["this/msg/X", "os/msg/X", "json/msg/X", "sensor_msgs/msg/Nothing", "no_such/msg/X", "", "a/b"]
)
def test_other_modules_are_not_imported(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = set(sys.modules)
    assert message_class(name) is None
    assert not {"this", "no_such"} & (set(sys.modules) - before)
    assert capsys.readouterr().out == ""  # the module `this` prints a poem


@pytest.mark.parametrize("generated", [False, True])
def test_a_package_of_the_current_folder_is_not_run(
    generated: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "evil_msgs"
    (package / "msg").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('run')")
    (package / "msg" / "__init__.py").write_text("class X: pass")
    if generated:  # it looks like a message package
        (package / "msg" / "_x.py").write_text("")
        (package / "evil_msgs_s__rosidl_typesupport_c.so").write_text("")
    monkeypatch.chdir(tmp_path)
    for entry in ("", str(tmp_path), "."):
        monkeypatch.syspath_prepend(entry)
    assert message_class("evil_msgs/msg/X") is None
    assert "evil_msgs" not in sys.modules


def test_a_package_elsewhere_that_is_none_of_ros_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plain_msgs" / "msg").mkdir(parents=True)
    (tmp_path / "plain_msgs" / "__init__.py").write_text("raise SystemExit('run')")
    (tmp_path / "plain_msgs" / "msg" / "_x.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert message_class("plain_msgs/msg/X") is None
