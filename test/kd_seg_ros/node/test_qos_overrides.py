"""Overrides of the quality of service: whose they are, and which are refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

rclpy = pytest.importorskip("rclpy")

import dds  # noqa: E402, F401  (isolated domain)
from rclpy.context import Context  # noqa: E402
from rclpy.node import Node  # noqa: E402

from kd_seg_ros.common.errors import UserError  # noqa: E402
from kd_seg_ros.common.topics import OUTPUTS, OutputTopic  # noqa: E402
from kd_seg_ros.node.qos_overrides import check_overrides  # noqa: E402


@pytest.fixture
def context() -> Iterator[Context]:
    context = Context()
    rclpy.init(context=context)
    yield context
    context.try_shutdown()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "/segmentation/maks.publisher.depth:=7",
            "did you mean 'qos_overrides./segmentation/mask.pub",
        ),
        ("/segmentation/mask.publisher.deadline:=7", "There are history, depth, reliability of each output"),
        ("/image.subscription.reliability:=best_effort", "the image topic has the parameter reliability"),
    ],
)
def test_overrides_that_nothing_reads_are_refused(context: Context, override: str, message: str) -> None:
    arguments = ["--ros-args", "-p", f"qos_overrides.{override}"]
    node = Node("tester", context=context, cli_args=arguments, use_global_arguments=False)
    with pytest.raises(UserError, match="unknown parameter") as caught:
        check_overrides(node)
    assert message in str(caught.value)
    node.destroy_node()


def test_overrides_of_remapped_topics_and_of_ros_are_let_through(context: Context) -> None:
    names = ("/seen.publisher.depth:=7", "/clock.subscription.depth:=3", "/rosout.publisher.depth:=3")
    arguments = [word for name in names for word in ("-p", f"qos_overrides.{name}")]
    arguments = ["--ros-args", "-r", "segmentation/mask:=seen", *arguments]
    node = Node("tester", context=context, cli_args=arguments, use_global_arguments=False)
    check_overrides(node)
    node.destroy_node()


@pytest.mark.parametrize("topic", OUTPUTS, ids=lambda topic: topic.name)
def test_every_output_can_be_overridden(context: Context, topic: OutputTopic) -> None:
    arguments = ["--ros-args", "-p", f"qos_overrides./{topic.name}.publisher.depth:=7"]
    node = Node("tester", context=context, cli_args=arguments, use_global_arguments=False)
    check_overrides(node)
    node.destroy_node()


def node_with(context: Context, namespace: str, *topics: str) -> Node:
    arguments = ["--ros-args", "-r", f"__ns:={namespace}"]
    for topic in topics:
        arguments += ["-p", f"qos_overrides.{topic}.publisher.reliability:=best_effort"]
    return Node("tester", context=context, cli_args=arguments, use_global_arguments=False)


class Warnings:
    """Collects what a node warns of."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def warning(self, text: str) -> None:
        self.texts.append(text)


@pytest.mark.parametrize(
    ("namespace", "topics", "warnings"),
    [
        ("/front", ["/front/segmentation/mask", "/rear/segmentation/mask", "/lidar/points"], 0),
        (
            "/rear",
            ["/rear/segmentation/mask", "/rear/segmentation/confidence", "/front/segmentation/mask"],
            0,
        ),
        ("/", ["/segmentation/mask", "/rear/segmentation/mask"], 0),
        ("/", ["/lidar/points", "/front/image_raw", "/maks"], 0),
        ("/car/rear", ["/rear/segmentation/mask"], 1),
        ("/", ["/rear/segmentation/mask"], 1),
        ("/front", ["/segmentation/mask", "/rear/segmentation/overlay"], 1),
    ],
)
def test_overrides_of_other_nodes_are_left_alone(
    context: Context, monkeypatch: pytest.MonkeyPatch, namespace: str, topics: list[str], warnings: int
) -> None:
    node = node_with(context, namespace, *topics)
    said = Warnings()
    monkeypatch.setattr(node, "get_logger", lambda: said)
    check_overrides(node)
    assert len(said.texts) == warnings
    for text in said.texts:
        assert text.startswith(f"qos_overrides of {', '.join(sorted(topics))} are not for this node")
        assert f"{namespace.rstrip('/')}/segmentation/mask" in text
    node.destroy_node()


def test_slips_in_the_own_namespace_are_refused_among_those_of_others(context: Context) -> None:
    node = node_with(context, "/front", "/rear/segmentation/mask", "/front/segmentation/maks")
    with pytest.raises(UserError, match=r"did you mean 'qos_overrides\./front/segmentation/mask\.pub"):
        check_overrides(node)
    node.destroy_node()
