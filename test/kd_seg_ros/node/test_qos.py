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
from kd_seg_ros.common.topics import MASK, MASK_PNG  # noqa: E402
from kd_seg_ros.node.qos import create_output, matching_reliability, output_name  # noqa: E402

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


def test_outputs_are_reliable_and_kept_until_losses_are_repaired(context: Context) -> None:
    last = HistoryPolicy.KEEP_LAST
    assert offered(context, False) == (RELIABLE, DurabilityPolicy.VOLATILE, last, 5)
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
