"""What launch/multi_camera.launch.py asks for, recorded by stand-ins for ROS 2's launch modules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import launch_stand_in
import pytest
import yaml
from ament_prefix import ROOT, install_prefix

from kd_seg_ros.common.errors import UserError

pytest.importorskip("ament_index_python")

FILE = ROOT / "launch" / "multi_camera.launch.py"


@pytest.fixture
def launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    install_prefix(tmp_path, monkeypatch)
    description = launch_stand_in.load(FILE, monkeypatch)
    return lambda **given: launch_stand_in.run(description, **given)


@pytest.fixture
def cameras(tmp_path: Path) -> str:
    entries = [
        {"name": "front", "image": "/front/image_raw", "provider": "cpu"},
        {
            "name": "rear",
            "image": "image_raw",
            "parameters": {
                "compressed": True,
                "qos_overrides": {"segmentation/mask": {"publisher": {"reliability": "1e3"}}},
            },
        },
    ]
    file = tmp_path / "list.yaml"
    file.write_text(yaml.safe_dump({"cameras": entries, "defaults": {"parameters": {"overlay": False}}}))
    return str(file)


def plain(parameters: dict[str, Any]) -> dict[str, Any]:
    """Without the marks that keep text from being read as YAML."""
    values: dict[str, Any] = {}
    for name, value in parameters.items():
        if isinstance(value, launch_stand_in.ParameterValue):
            assert value.value_type is str
            values[name] = value.value
        else:
            assert not isinstance(value, str), f"{name} would be read as YAML"
            values[name] = plain(value) if isinstance(value, dict) else value
    return values


def test_a_node_for_every_camera(launch: Callable[..., list[Any]], cameras: str, tmp_path: Path) -> None:
    front, rear = launch(cameras=cameras)
    for node in (front, rear):
        assert (node.package, node.executable, node.name) == (
            "kd_seg_ros",
            "segmentation_node",
            "segmentation",
        )
        assert node.parameters[0] == str(tmp_path / "share/kd_seg_ros/config/segmentation.yaml")
        assert node.output == "screen"
    assert (front.namespace, front.remappings) == ("front", [("image", "/front/image_raw")])
    assert (rear.namespace, rear.remappings) == ("rear", [("image", "image_raw")])
    assert plain(front.parameters[1]) == {"overlay": False, "provider": "cpu"}
    assert plain(rear.parameters[1]) == {
        "overlay": False,
        "compressed": True,
        "qos_overrides": {"/rear/segmentation/mask": {"publisher": {"reliability": "1e3"}}},
    }


def test_arguments_win_over_the_list(launch: Callable[..., list[Any]], cameras: str) -> None:
    front, rear = launch(cameras=cameras, provider="tensorrt", use_sim_time="True", namespace="/car/")
    assert [node.namespace for node in (front, rear)] == ["/car/front", "/car/rear"]
    for node in (front, rear):
        values = plain(node.parameters[1])
        assert (values["provider"], values["use_sim_time"]) == ("tensorrt", True)
    (mask,) = plain(rear.parameters[1])["qos_overrides"]
    assert mask == "/car/rear/segmentation/mask", "moves with the node"


def test_all_nodes_pass_large_images_the_same_way(launch: Callable[..., list[Any]], cameras: str) -> None:
    from kd_seg_ros.common.fast_dds import MEMORY

    front, rear = launch(cameras=cameras)
    assert front.additional_env == rear.additional_env
    assert {"FASTDDS_DEFAULT_PROFILES_FILE", *MEMORY} == set(front.additional_env)


def test_a_mistake_is_one_line_of_the_launch(launch: Callable[..., list[Any]], tmp_path: Path) -> None:
    """Launch prints an action's exception as one line: "Caught exception in launch (…): MESSAGE"."""
    file = tmp_path / "list.yaml"
    file.write_text("cameras: [{name: front}]")
    with pytest.raises(UserError, match="'image' is missing"):
        launch(cameras=str(file))


def test_arguments(launch: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = launch_stand_in.load(FILE, monkeypatch).entities[:-1]
    names = ["cameras", "namespace", "provider", "use_sim_time", "active"]
    names += [
        "one_process",
        "batch",
        "batch_wait_ms",
        "lifecycle",
        "log_level",
        "respawn",
        "required",
        "rviz",
    ]
    assert [argument.name for argument in arguments] == names
    assert all(argument.description.endswith(".") for argument in arguments)
    with pytest.raises(UserError, match="provider:=gpu: must be one of auto"):
        launch(cameras="x", provider="gpu")
    with pytest.raises(UserError, match="namespace:=1st: must be a ROS namespace"):
        launch(namespace="1st")


def test_all_processes_are_started_alike(launch: Callable[..., list[Any]], cameras: str) -> None:
    for node in launch(
        cameras=cameras, lifecycle="true", log_level="warn", respawn="true", active="always", namespace="car"
    ):
        assert (node.arguments, node.ros_arguments) == (["--lifecycle"], ["--log-level", "warn"])
        assert node.respawn is True
        assert plain(node.parameters[1])["active"] == "always"


def test_the_shipped_example_starts(launch: Callable[..., list[Any]]) -> None:
    assert [node.namespace for node in launch()] == ["front", "rear"]


def test_all_cameras_in_one_process(launch: Callable[..., list[Any]], cameras: str) -> None:
    (node,) = launch(cameras=cameras, one_process="True", lifecycle="true", log_level="warn")
    assert (node.package, node.executable, node.name, node.namespace) == (
        "kd_seg_ros",
        "cameras_node",
        None,
        None,
    )
    assert node.arguments == ["--cameras", cameras, "--lifecycle"]
    assert (node.parameters, node.remappings) == ([], []), "the program reads the list itself"
    assert node.ros_arguments == ["--log-level", "warn"]
    (node,) = launch(
        cameras=cameras,
        one_process="true",
        namespace="car",
        provider="cpu",
        active="always",
        use_sim_time="true",
    )
    assert node.arguments[2:] == [
        *("--namespace", "car", "--provider", "cpu"),
        *("--active", "always", "--use-sim-time", "true"),
    ]
    assert node.ros_arguments == []


def test_batches_are_for_one_process(launch: Callable[..., list[Any]], cameras: str) -> None:
    (node,) = launch(cameras=cameras, one_process="true", batch="true", batch_wait_ms="2.5")
    assert node.arguments[2:] == ["--batch", "true", "--batch-wait-ms", "2.5"]
    with pytest.raises(UserError, match="batch:=true needs one_process:=true"):
        launch(cameras=cameras, batch="true")
    with pytest.raises(UserError, match="batch_wait_ms needs one_process:=true"):
        launch(cameras=cameras, batch_wait_ms="3")
    for wrong in ("-1", "soon", "2000", "nan"):
        with pytest.raises(UserError, match=f"batch_wait_ms:={wrong}: must be a number"):
            launch(cameras=cameras, one_process="true", batch="true", batch_wait_ms=wrong)


@pytest.mark.parametrize("one_process", ["true", "false"])
def test_one_rviz_for_all_cameras(
    launch: Callable[..., list[Any]], cameras: str, tmp_path: Path, one_process: str
) -> None:
    (tmp_path / "share/ament_index/resource_index/packages/rviz2").touch()
    *nodes, rviz = launch(
        cameras=cameras, rviz="true", namespace="car", one_process=one_process, use_sim_time="true"
    )
    assert len(nodes) == (1 if one_process == "true" else 2)
    assert (rviz.package, rviz.executable) == ("rviz2", "rviz2")
    assert rviz.parameters == [{"use_sim_time": True}]
    assert rviz.additional_env == nodes[0].additional_env
    file = Path(rviz.arguments[1])
    displays = yaml.safe_load(file.read_text())["Visualization Manager"]["Displays"]
    shown = {display["Name"]: display["Topic"]["Value"] for display in displays}
    assert len(shown) == len(displays) == 8
    assert shown["car/front: Camera"] == "/front/image_raw"
    assert shown["car/rear: Camera"] == "/car/rear/image_raw", "a relative topic lies in the namespace"
    assert shown["car/rear: Overlay"] == "/car/rear/segmentation/overlay"
    opened = {display["Name"] for display in displays if display["Enabled"]}
    assert opened == {f"car/{name}: {kind}" for name in ("front", "rear") for kind in ("Camera", "Overlay")}
    assert rviz.on_exit(None, None) == []
    assert not file.exists(), "it was made for this RViz alone"


def test_rviz_that_is_not_installed(
    launch: Callable[..., list[Any]], cameras: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_DISTRO", "jazzy")
    with pytest.raises(UserError, match="not installed: sudo apt install ros-jazzy-rviz2"):
        launch(cameras=cameras, rviz="true")


def test_every_argument_of_the_other_launch_file_is_known_or_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Launch passes over arguments that a file does not declare."""
    install_prefix(tmp_path, monkeypatch)
    segment = ROOT / "launch" / "segment.launch.py"
    for file, other in ((FILE, segment), (segment, FILE)):
        monkeypatch.setattr("sys.argv", ["ros2", "launch", "kd_seg_ros", file.name])
        description = launch_stand_in.load(file, monkeypatch)
        names = {argument.name for argument in description.entities[:-1]}
        there = {argument.name for argument in launch_stand_in.load(other, monkeypatch).entities[:-1]}
        assert there - names
        for name in there - names:
            with pytest.raises(UserError, match=f"{name}:=x: {file.name} has no such argument: "):
                launch_stand_in.run(description, **{name: "x"})


def test_the_list_is_looked_at_before_the_one_process_is_started(
    launch: Callable[..., list[Any]], tmp_path: Path
) -> None:
    file = tmp_path / "list.yaml"
    file.write_text("cameras: [{name: front, imag: x}]")
    with pytest.raises(UserError, match="did you mean 'image'"):
        launch(cameras=str(file), one_process="true")
