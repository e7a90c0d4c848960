"""What launch/segment.launch.py asks for in addition to the node: a bag that is replayed, and RViz."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import launch_stand_in
import pytest
import yaml

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.parser import Parser
from kd_seg_ros.playback.options import add_arguments

pytest.importorskip("ament_index_python")


@pytest.fixture
def bag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bag in the home folder, as the user names it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "fog").mkdir()
    return "~/fog"


def test_a_bag_is_replayed_once_the_node_is_ready(
    launch: Callable[..., list[Any]], bag: str, tmp_path: Path
) -> None:
    handler, node = launch(bag=bag, image="/camera/image_raw", namespace="front")
    assert node.remappings == [("image", "/camera/image_raw")]
    assert node.arguments == ["--expect-frames"], "0 frames segmented are a failure of the launch"
    events = handler.event_handler
    assert events.target_action is node
    say = launch_stand_in.ProcessIO
    assert not events.on_stderr(say(b"[WARN] [segmentation]: something else\n"))
    (replay,) = events.on_stderr(say(b"[INFO] [front.segmentation]: ready: model 'x'\n"))
    assert not events.on_stdout(say(b"ready: again\n")), "once"
    assert (replay.package, replay.executable) == ("kd_seg_ros", "play_bag")
    assert replay.arguments == [str(tmp_path / "fog")]
    assert replay.additional_env == node.additional_env
    assert replay.on_exit is not None


def test_the_line_a_bag_waits_for_is_logged_at_any_level(launch: Callable[..., list[Any]], bag: str) -> None:
    _, node = launch(bag=bag, log_level="error", namespace="/car/front", name="fog")
    assert node.ros_arguments == ["--log-level", "error", "--log-level", "car.front.fog:=info"]


def test_sim_time_comes_from_the_bag(launch: Callable[..., list[Any]], bag: str, tmp_path: Path) -> None:
    handler, _ = launch(bag=bag, use_sim_time="true")
    (replay,) = handler.event_handler.on_stderr(launch_stand_in.ProcessIO(b"ready: "))
    assert replay.arguments == [str(tmp_path / "fog"), "--clock"]


def test_ros2_bag_is_preferred_where_installed(
    launch: Callable[..., list[Any]], bag: str, prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (prefix / "share/ament_index/resource_index/packages/ros2bag").touch()
    program = prefix / "bin" / "ros2"
    program.parent.mkdir()
    program.touch(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    handler, _ = launch(bag=bag, use_sim_time="True")
    (replay,) = handler.event_handler.on_stdout(launch_stand_in.ProcessIO(b"ready: "))
    assert replay.cmd == ["ros2", "bag", "play", str(prefix / "fog"), "--clock"]


def test_play_bag_understands_these_arguments() -> None:
    parser = Parser("play_bag", "")
    add_arguments(parser)
    options = parser.read(["fog", "--clock"])
    assert (options.bag, options.clock) == (Path("fog"), 40.0)


def test_rviz_opens_with_the_nodes_pictures(launch: Callable[..., list[Any]], prefix: Path) -> None:
    (prefix / "share/ament_index/resource_index/packages/rviz2").touch()
    assert len(launch(rviz="false")) == 1
    node, rviz = launch(rviz="true", namespace="front", image="/camera/image_raw", use_sim_time="true")
    assert (rviz.package, rviz.executable) == ("rviz2", "rviz2")
    config = prefix / "share/kd_seg_ros/config/segmentation.rviz"
    assert config.is_file()
    assert rviz.arguments == ["-d", str(config)]
    assert rviz.namespace == "front"
    remappings = dict(rviz.remappings)
    assert remappings.pop("/image") == "/camera/image_raw"
    # Topics of the root namespace, which the file names, become those of the node's.
    assert {"/segmentation/overlay", "/segmentation/mask", "/segmentation/confidence"} <= remappings.keys()
    assert all(original == f"/{relative}" for original, relative in remappings.items())
    assert rviz.parameters == [{"use_sim_time": True}]
    assert rviz.additional_env == node.additional_env
    assert rviz.on_exit is None, "closing it does not stop the node"


@pytest.mark.parametrize(
    ("given", "opened", "frame"),
    [
        ({"depth": "/depth"}, {"Points"}, "map"),
        ({"ground": "tf"}, {"Ground"}, "base_footprint"),
        ({"points": "/cloud", "ground": "ground.yaml"}, {"Points", "Ground"}, "base_link"),
    ],
)
def test_rviz_shows_what_is_put_into_space(
    launch: Callable[..., list[Any]],
    prefix: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, str],
    opened: set[str],
    frame: str,
) -> None:
    (prefix / "share/ament_index/resource_index/packages/rviz2").touch()
    (prefix / "ground.yaml").write_text(
        "/front/ground: {ros__parameters: {camera_height: 1.4, frame_id: base_link}}"
    )
    monkeypatch.chdir(prefix)
    *_, rviz = launch(rviz="true", namespace="front", **given)
    file = Path(rviz.arguments[1])
    manager = yaml.safe_load(file.read_text())["Visualization Manager"]
    shown = {display["Name"] for display in manager["Displays"] if display["Enabled"] and display["Value"]}
    assert shown == {"Camera", "Overlay", "Mask", "Confidence"} | opened
    assert manager["Global Options"]["Fixed Frame"] == frame
    remappings = dict(rviz.remappings)
    for display in manager["Displays"]:
        assert display["Topic"]["Value"] in remappings
    assert rviz.on_exit(None, None) == []
    assert not file.exists(), "it was made for this RViz alone"


def test_rviz_that_is_not_installed(
    launch: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_DISTRO", "humble")
    with pytest.raises(UserError, match="not installed: sudo apt install ros-humble-rviz2"):
        launch(rviz="True")
