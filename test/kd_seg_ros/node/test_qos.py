from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

rclpy = pytest.importorskip("rclpy")

import dds  # noqa: E402, F401  (isolated domain)
from rclpy.context import Context  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.qos import DurabilityPolicy, HistoryPolicy, ReliabilityPolicy  # noqa: E402

from kd_seg_ros.common.errors import UserError  # noqa: E402
from kd_seg_ros.common.topics import MASK, MASK_PNG, OUTPUTS, OutputTopic  # noqa: E402
from kd_seg_ros.node.qos import (  # noqa: E402
    create_output,
    matching_reliability,
    output_name,
    refuse_unused_overrides,
)

RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT


@pytest.mark.parametrize(
    ("offered", "wanted"),
    [
        ([], RELIABLE),
        ([RELIABLE], RELIABLE),
        ([BEST_EFFORT], BEST_EFFORT),
        ([RELIABLE, BEST_EFFORT, RELIABLE], BEST_EFFORT),
    ],
)
def test_matching_reliability(offered: list[ReliabilityPolicy], wanted: ReliabilityPolicy) -> None:
    assert matching_reliability(offered) == wanted


@pytest.fixture
def context() -> Iterator[Context]:
    context = Context()
    rclpy.init(context=context)
    yield context
    context.try_shutdown()


def offered(context: Context, latched: bool, *overrides: str) -> tuple[object, ...]:
    """Return what the publisher of a topic offers: reliability, durability, history and depth."""
    arguments = ["--ros-args", *(word for override in overrides for word in ("-p", override))]
    node = Node("tester", context=context, cli_args=arguments, use_global_arguments=False)
    try:
        publisher = create_output(node, replace(MASK, latched=latched))
        profile = publisher.qos_profile
        return profile.reliability, profile.durability, profile.history, profile.depth
    finally:
        node.destroy_node()


def test_outputs_are_reliable_with_depth_1(context: Context) -> None:
    last = HistoryPolicy.KEEP_LAST
    assert offered(context, False) == (RELIABLE, DurabilityPolicy.VOLATILE, last, 1)
    assert offered(context, True) == (RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL, last, 1)


def test_outputs_can_be_overridden_by_parameters(context: Context) -> None:
    group = "qos_overrides./segmentation/mask.publisher"
    found = offered(context, False, f"{group}.reliability:=best_effort", f"{group}.depth:=3")
    assert found == (BEST_EFFORT, DurabilityPolicy.VOLATILE, HistoryPolicy.KEEP_LAST, 3)


@pytest.mark.parametrize(
    ("rules", "mask", "picture"),
    [
        ([], "/car/segmentation/mask", "/car/segmentation/mask/compressed"),
        (["segmentation/mask:=classes"], "/car/classes", "/car/classes/compressed"),
        (["segmentation/mask:=/classes"], "/classes", "/classes/compressed"),
        (["segmentation/mask/compressed:=png"], "/car/segmentation/mask", "/car/png"),
        (["segmentation/mask:=classes", "segmentation/mask/compressed:=/png"], "/car/classes", "/png"),
    ],
)
def test_what_belongs_to_a_remapped_output_moves_with_it(
    context: Context, rules: list[str], mask: str, picture: str
) -> None:
    arguments = ["--ros-args", "-r", "__ns:=/car"]
    for rule in rules:
        arguments += ["-r", rule]
    node = Node("tester", context=context, cli_args=arguments, use_global_arguments=False)
    try:
        assert output_name(node, MASK) == mask
        assert output_name(node, MASK_PNG) == picture
        assert create_output(node, MASK_PNG).topic_name == picture
    finally:
        node.destroy_node()


@pytest.mark.parametrize("override", ["reliability:=sometimes", "depth:=many"])
def test_a_bad_override_is_refused(context: Context, override: str) -> None:
    with pytest.raises(UserError, match=r"cannot publish segmentation/mask: .*(sometimes|many)"):
        offered(context, False, f"qos_overrides./segmentation/mask.publisher.{override}")


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
        refuse_unused_overrides(node)
    assert message in str(caught.value)
    node.destroy_node()


def test_overrides_of_remapped_topics_and_of_ros_are_let_through(context: Context) -> None:
    names = ("/seen.publisher.depth:=7", "/clock.subscription.depth:=3", "/rosout.publisher.depth:=3")
    arguments = [word for name in names for word in ("-p", f"qos_overrides.{name}")]
    arguments = ["--ros-args", "-r", "segmentation/mask:=seen", *arguments]
    node = Node("tester", context=context, cli_args=arguments, use_global_arguments=False)
    refuse_unused_overrides(node)
    node.destroy_node()


@pytest.mark.parametrize("topic", OUTPUTS, ids=lambda topic: topic.name)
def test_every_output_can_be_overridden(context: Context, topic: OutputTopic) -> None:
    arguments = ["--ros-args", "-p", f"qos_overrides./{topic.name}.publisher.depth:=7"]
    node = Node("tester", context=context, cli_args=arguments, use_global_arguments=False)
    refuse_unused_overrides(node)
    node.destroy_node()
