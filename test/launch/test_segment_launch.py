"""What launch/segment.launch.py asks for, recorded by stand-ins for ROS 2's launch modules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import launch_stand_in
import pytest
import yaml
from ament_prefix import ROOT

from kd_seg_ros.clouds.parameters import GroundParameters
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.launching.companions import GROUND_FRAME

pytest.importorskip("ament_index_python")

FILE = ROOT / "launch" / "segment.launch.py"
FAST_DDS, FAST_RTPS = "FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"
MALLOC = {"MALLOC_MMAP_THRESHOLD_": "268435456", "MALLOC_TRIM_THRESHOLD_": "1073741824"}


def parameters_of(node: Any, namespace: str = "/", tmp_path: Path | None = None) -> Any:
    """Read the parameters with the real node's code, as launch_ros hands them over."""
    rclpy = pytest.importorskip("rclpy")
    import dds  # noqa: F401  (isolated domain)

    from kd_seg_ros.node.parameter_declaration import declare_parameters

    arguments = ["--ros-args", "-r", f"__ns:={namespace}"]
    for number, item in enumerate(node.parameters):
        file = item
        if isinstance(item, dict):
            assert tmp_path is not None
            values = {
                k: v.value if isinstance(v, launch_stand_in.ParameterValue) else v for k, v in item.items()
            }
            file = tmp_path / f"{number}.yaml"
            file.write_text(yaml.safe_dump({"/**": {"ros__parameters": values}}))
        arguments += ["--params-file", str(file)]
    context = rclpy.context.Context()
    rclpy.init(context=context)
    ros_node = rclpy.node.Node(
        "segmentation", context=context, cli_args=arguments, use_global_arguments=False
    )
    try:
        return declare_parameters(ros_node), ros_node.get_parameter("use_sim_time").value
    finally:
        ros_node.destroy_node()
        context.try_shutdown()


def test_arguments(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = launch_stand_in.load(FILE, monkeypatch).entities[:-1]
    assert [argument.name for argument in arguments] == [
        "model",
        "image",
        "provider",
        "params_file",
        "namespace",
        "name",
        "use_sim_time",
        "compressed",
        "overlay",
        "active",
        "lifecycle",
        "log_level",
        "respawn",
        "required",
        "depth",
        "points",
        "ground",
        "bag",
        "rviz",
    ]
    for argument in arguments:
        assert argument.description.endswith(".")
        assert isinstance(argument.default_value, str)


def test_by_default_the_shipped_file_alone_sets_the_parameters(
    launch: Callable[..., list[Any]], prefix: Path
) -> None:
    from kd_seg_ros.node.parameters import Parameters

    (node,) = launch()
    assert (node.package, node.executable, node.name) == ("kd_seg_ros", "segmentation_node", "segmentation")
    assert node.namespace == ""
    assert node.parameters == [str(prefix / "share/kd_seg_ros/config/segmentation.yaml")]
    assert node.remappings == [("image", "image")]
    assert (node.arguments, node.ros_arguments, node.respawn) == ([], [], False)
    assert parameters_of(node) == (Parameters(), False)


def test_arguments_win_over_the_file_only_where_given(
    launch: Callable[..., list[Any]], tmp_path: Path
) -> None:
    file = tmp_path / "mine.yaml"
    values = {"provider": "tensorrt", "compressed": True, "overlay_alpha": 0.25, "model": "mine.onnx"}
    file.write_text(yaml.safe_dump({"/**": {"ros__parameters": values}}))
    (node,) = launch(
        params_file=str(file), provider="cpu", overlay="False", use_sim_time="true", namespace="front"
    )
    assert node.namespace == "front"
    settings, sim_time = parameters_of(node, "/robot/front", tmp_path)
    assert (settings.provider, settings.overlay, sim_time) == ("cpu", False, True)
    assert (settings.model, settings.compressed, settings.overlay_alpha) == ("mine.onnx", True, 0.25)


def test_a_file_of_parameters_that_is_not_there_is_refused(
    launch: Callable[..., list[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"params_file: .*none\.yaml: no such file"):
        launch(params_file=str(tmp_path / "none.yaml"))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.yaml").write_text("/**: {ros__parameters: {overlay_alpha: 0.25}}")
    (node,) = launch(params_file="~/mine.yaml")  # a shell does not expand it after params_file:=
    assert node.parameters[0] == str(tmp_path / "mine.yaml")


def test_text_is_not_read_as_yaml(
    launch: Callable[..., list[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "1e3").touch()
    (node,) = launch(model="1e3")
    assert node.parameters[1]["model"].value == "1e3"
    assert node.parameters[1]["model"].value_type is str


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"provider": "gpu"}, "provider:=gpu: must be one of auto, cuda, tensorrt, openvino, cpu$"),
        ({"provider": "tensort"}, "did you mean 'tensorrt'?"),
        ({"compressed": "yes"}, "compressed:=yes: must be one of true, false"),
        ({"use_sim_time": "1"}, "use_sim_time:=1: must be one of true, false"),
        ({"respawn": "treu"}, "respawn:=treu: must be one of true, false; did you mean 'true'?"),
        ({"active": "allways"}, "active:=allways: must be one of auto, always; did you mean 'always'?"),
        ({"log_level": "dbug"}, "log_level:=dbug: must be one of debug, .*; did you mean 'debug'?"),
        ({"name": "front camera"}, "name:=front camera: must be a node's name"),
        ({"namespace": "front-left"}, "namespace:=front-left: must be a ROS namespace"),
        ({"image": "/camera//image"}, "image:=/camera//image: must be a ROS topic"),
        ({"image": "/camera/compressed"}, "write /camera and compressed:=true"),
        ({"model": "none.onnx"}, "model: none.onnx: no such file"),
        ({"model": "/"}, "model: /: is a folder"),
        ({"model": "~nobody_of_this_name/x.onnx"}, "model: ~nobody_of_this_name/x.onnx: "),
        ({"bag": "~/none"}, "bag:=~/none: no such bag"),
    ],
)
def test_wrong_values_are_refused_before_anything_starts(
    launch: Callable[..., list[Any]], given: dict[str, str], complaint: str
) -> None:
    with pytest.raises(UserError, match=complaint.replace("?", "[?]")) as caught:
        launch(**given)
    assert "\n" not in str(caught.value)


def test_a_params_file_that_is_no_yaml(launch: Callable[..., list[Any]], tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("/**:\n  a: [")
    with pytest.raises(UserError, match=r"mine.yaml: line \d: not YAML"):
        launch(params_file=str(tmp_path / "mine.yaml"))


def test_an_argument_that_was_mistyped(
    launch: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Launch passes over what no file declares. Included, the words are for the file that includes it."""
    assert launch(modle="x.onnx")
    monkeypatch.setattr("sys.argv", ["ros2", "launch", "kd_seg_ros", "segment.launch.py", "modle:=x.onnx"])
    with pytest.raises(UserError, match=r"modle:=x.onnx: there is no argument 'modle'; did you mean 'model'"):
        launch(modle="x.onnx")
    assert launch(**{"launch-prefix": "gdb"})


def test_how_the_process_is_started(launch: Callable[..., list[Any]]) -> None:
    (node,) = launch(name="fog", active="always", lifecycle="true", log_level="fog:=debug", respawn="True")
    assert (node.name, node.arguments) == ("fog", ["--lifecycle"])
    assert node.ros_arguments == ["--log-level", "fog:=debug"]
    assert node.parameters[1]["active"].value == "always"
    assert node.respawn is True
    assert node.respawn_delay > 0


@pytest.mark.parametrize(
    ("given", "remappings"),
    [
        (
            {"depth": "/cam/aligned/image_raw"},
            [("depth/image", "/cam/aligned/image_raw"), ("depth/camera_info", "/cam/aligned/camera_info")],
        ),
        ({"depth": "depth"}, [("depth/image", "depth"), ("depth/camera_info", "camera_info")]),
        ({"points": "/cam/points"}, [("points", "/cam/points")]),
    ],
)
def test_points_are_made_from_depth_or_a_cloud(
    launch: Callable[..., list[Any]], given: dict[str, str], remappings: list[tuple[str, str]]
) -> None:
    _, node = launch(namespace="front", use_sim_time="true", **given)
    assert (node.package, node.executable, node.namespace) == ("kd_seg_ros", "points_node", "front")
    assert node.parameters == [{"source": next(iter(given)), "rotate": 0, "use_sim_time": True}]
    assert node.remappings == remappings


@pytest.mark.parametrize(
    ("text", "rotate"),
    [
        ("/front/eyes: {ros__parameters: {rotate: 180}}", {"rotate": 180}),
        ("/**: {ros__parameters: {rotate: 90}}", {"rotate": 90}),
        ("/back/eyes: {ros__parameters: {rotate: 180}}\n/**: {ros__parameters: {provider: cpu}}", {}),
    ],
)
def test_points_are_in_the_order_of_turned_masks(
    launch: Callable[..., list[Any]], tmp_path: Path, text: str, rotate: dict[str, int]
) -> None:
    file = tmp_path / "parameters.yaml"
    file.write_text(text)
    _, node = launch(namespace="front", name="eyes", depth="/depth", params_file=str(file))
    assert node.parameters == [{"source": "depth", "use_sim_time": False, **rotate}]


def test_the_ground_is_seen_by_the_camera_of_the_images(
    launch: Callable[..., list[Any]], tmp_path: Path
) -> None:
    file = tmp_path / "ground.yaml"
    file.write_text("/**: {ros__parameters: {camera_height: 1.4}}")
    _, node = launch(image="/cam/image_raw", ground=str(file))
    assert node.executable == "ground_node"
    assert node.parameters == [str(file), {"rotate": 0, "use_sim_time": False}]
    assert node.remappings == [("camera_info", "/cam/camera_info")]


def test_the_ground_needs_no_file_with_the_camera_in_tf(
    launch: Callable[..., list[Any]], tmp_path: Path
) -> None:
    turned = tmp_path / "parameters.yaml"
    turned.write_text("/**: {ros__parameters: {rotate: 180}}")
    _, node = launch(image="/cam/image_raw", ground="tf", params_file=str(turned))
    assert node.executable == "ground_node"
    assert node.parameters == [{"rotate": 180, "use_sim_time": False}]


def test_the_grids_frame_is_the_nodes() -> None:
    assert GroundParameters().frame_id == GROUND_FRAME


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"depth": "/d", "points": "/p"}, "one of the two"),
        ({"depth": "/d/compressed"}, "compressed depths are not read"),
        ({"points": "not a topic"}, "must be a ROS topic"),
        ({"ground": "nowhere.yaml"}, "nowhere.yaml"),
    ],
)
def test_what_puts_masks_into_space_is_checked_first(
    launch: Callable[..., list[Any]], given: dict[str, str], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        launch(**given)


@pytest.mark.parametrize(
    ("distribution", "name"),
    [("humble", FAST_RTPS), ("jazzy", FAST_RTPS), ("kilted", FAST_DDS), (None, FAST_DDS)],
)
def test_large_image_settings(
    launch: Callable[..., list[Any]],
    prefix: Path,
    monkeypatch: pytest.MonkeyPatch,
    distribution: str | None,
    name: str,
) -> None:
    if distribution:
        monkeypatch.setenv("ROS_DISTRO", distribution)
    (node,) = launch()
    profile = prefix / "share/kd_seg_ros/config/fastdds_large_images.xml"
    assert profile.is_file()
    assert node.additional_env == {name: str(profile), **MALLOC}


@pytest.mark.parametrize("name", [FAST_DDS, FAST_RTPS])
def test_the_users_own_settings_stay(
    launch: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "/mine.xml")
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1")
    (node,) = launch()
    assert node.additional_env == {"MALLOC_MMAP_THRESHOLD_": "268435456"}
