"""Parameters as rclpy hands them to the node; no process and no topic needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

rclpy = pytest.importorskip("rclpy")

from rclpy.context import Context  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402

from kd_seg_ros.common.errors import UserError  # noqa: E402
from kd_seg_ros.common.picture import DecodeOptions  # noqa: E402
from kd_seg_ros.node.parameter_declaration import (  # noqa: E402
    declare_class_thresholds,
    declare_parameters,
)
from kd_seg_ros.node.parameter_values import descriptor  # noqa: E402
from kd_seg_ros.node.parameters import CLASS_THRESHOLD, Parameters, full_name  # noqa: E402

CONFIG = Path(__file__).resolve().parents[3] / "config" / "segmentation.yaml"


@pytest.fixture
def make_node() -> Iterator[Callable[..., Node]]:
    context = Context()
    rclpy.init(context=context)
    nodes: list[Node] = []

    def make(*ros_arguments: str) -> Node:
        arguments = ["--ros-args", *ros_arguments]
        nodes.append(Node("segmentation", context=context, cli_args=arguments, use_global_arguments=False))
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()
    context.try_shutdown()


def test_defaults(make_node: Callable[..., Node]) -> None:
    assert declare_parameters(make_node()) == Parameters()


def test_given_values(make_node: Callable[..., Node]) -> None:
    node = make_node("-p", "provider:=cpu", "-p", "compressed:=true", "-p", "overlay_alpha:=0.25")
    assert declare_parameters(node) == Parameters(provider="cpu", compressed=True, overlay_alpha=0.25)


def test_how_images_are_decoded(make_node: Callable[..., Node]) -> None:
    node = make_node("-p", "rotate:=270", "-p", "white_level:=4095", "-p", "max_image_megapixels:=2.5")
    parameters = declare_parameters(node)
    assert parameters.decoding() == DecodeOptions(max_megapixels=2.5, white_level=4095, rotate=270)
    assert parameters.follows_camera_info()
    assert not Parameters().follows_camera_info()
    assert Parameters(damaged_frames="use").decoding().use_damaged


def test_the_shipped_file_states_every_parameter_with_its_default(make_node: Callable[..., Node]) -> None:
    stated = yaml.safe_load(CONFIG.read_text())["/**"]["ros__parameters"]
    flat = [
        f"{name}.{sub}" if isinstance(value, dict) else name
        for name, value in stated.items()
        for sub in (value if isinstance(value, dict) else [""])
    ]
    assert flat == [full_name(item) for item in fields(Parameters)]
    node = make_node("--params-file", str(CONFIG), "-r", "__ns:=/left/camera", "-r", "__node:=other")
    assert declare_parameters(node) == Parameters()


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (
            "provider:=gpu",
            "parameter 'provider' must be one of auto, cuda, tensorrt, openvino, cpu, not 'gpu'",
        ),
        ("reliability:=Reliable", "must be one of auto, reliable, best_effort, not 'Reliable'"),
        ("confidence_encoding:=rgb8", "must be one of mono8, 32FC1, not 'rgb8'"),
        ("compressed:=1", "parameter 'compressed' must be true or false, not 1"),
        ("model:=7", "parameter 'model' must be a string, not 7"),
        ("overlay_alpha:=1", "must be a number with a decimal point, 0.0 to 1.0, not 1"),
        ("overlay_alpha:=1.01", "0.0 to 1.0, not 1.01"),
        ("overlay_alpha:=.nan", "0.0 to 1.0, not nan"),
        ("diagnostics.period_s:=0.0", "0.1 to 3600.0, not 0.0"),
        ("modle:=x", "unknown parameter 'modle'; did you mean 'model'?"),
        ("overlay_aplha:=0.3", "did you mean 'overlay_alpha'?"),
        ("active:=false", "parameter 'active' must be one of auto, always, not False"),
        ("output_scale:=0.0", "0.01 to 1.0, not 0.0"),
        ("max_image_age_ms:=1.0", "did you mean 'diagnostics.max_image_age_ms'?"),
        ("diagnostics.no_image_timeout_s:=-1.0", "0.0 to 3600.0, not -1.0"),
        ("rotate:=45", "parameter 'rotate' must be one of 0, 90, 180, 270, not 45"),
        ("rotate:=90.0", "must be one of 0, 90, 180, 270, not 90.0"),
        ("white_level:=65536", "parameter 'white_level' must be a whole number, 0 to 65535, not 65536"),
        ("white_level:=4095.0", "must be a whole number, 0 to 65535, not 4095.0"),
        ("max_image_megapixels:=0.0", "0.001 to 1000.0, not 0.0"),
    ],
)
def test_refused(make_node: Callable[..., Node], given: str, complaint: str) -> None:
    with pytest.raises(UserError) as caught:
        declare_parameters(make_node("-p", given))
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_parameters_of_rclpy_itself_are_let_through(make_node: Callable[..., Node]) -> None:
    qos = "qos_overrides./segmentation/mask.publisher.depth:=2"
    node = make_node("-p", "use_sim_time:=true", "-p", qos, "-p", "start_type_description_service:=false")
    assert declare_parameters(node) == Parameters()


def test_only_live_parameters_change_while_running(make_node: Callable[..., Node]) -> None:
    node = make_node()
    declare_parameters(node)
    alpha, wrong, provider = node.set_parameters(
        [
            Parameter("overlay_alpha", value=0.75),
            Parameter("overlay_alpha", value=1.5),
            Parameter("provider", value="cpu"),
        ]
    )
    assert (alpha.successful, wrong.successful, provider.successful) == (True, False, False)
    assert node.get_parameter("overlay_alpha").value == 0.75
    assert "read-only" in provider.reason


def test_every_parameter_is_described(make_node: Callable[..., Node]) -> None:
    node = make_node()
    declare_parameters(node)
    for item in fields(Parameters):
        described = node.describe_parameter(full_name(item))
        assert described.description.endswith(".")
        assert described.additional_constraints


def test_thresholds_of_classes(make_node: Callable[..., Node]) -> None:
    node = make_node("-p", "class_min_confidence.traffic_light:=0.5")
    assert declare_parameters(node) == Parameters()
    names = declare_class_thresholds(node, ("road", "traffic light"))
    assert names == ["class_min_confidence.road", "class_min_confidence.traffic_light"]
    assert [node.get_parameter(name).value for name in names] == [0.0, 0.5]
    right, wrong = node.set_parameters([Parameter(names[0], value=0.25), Parameter(names[1], value=1.5)])
    assert (right.successful, wrong.successful) == (True, False)
    assert not descriptor(CLASS_THRESHOLD).read_only


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (
            "raod:=0.5",
            "unknown parameter 'class_min_confidence.raod'; did you mean 'class_min_confidence.road'?",
        ),
        (
            "road:=2.0",
            "parameter 'class_min_confidence.road' must be a number with a decimal point, 0.0 to 1.0",
        ),
    ],
)
def test_thresholds_that_are_refused(make_node: Callable[..., Node], given: str, complaint: str) -> None:
    node = make_node("-p", f"class_min_confidence.{given}")
    declare_parameters(node)
    with pytest.raises(UserError) as caught:
        declare_class_thresholds(node, ("road", "car"))
    assert str(caught.value).startswith(complaint)
