"""The SROS 2 policy of the nodes that put masks into space, against their ROS graph, both ways."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

rclpy = pytest.importorskip("rclpy")
pytest.importorskip("nav_msgs")

import tf2_stand_in  # noqa: E402
from dds import Client, wait_until  # noqa: E402
from nav_msgs.msg import OccupancyGrid  # noqa: E402
from node_here import node_here  # noqa: E402
from ros_graph import KINDS, Rules, policy, seen  # noqa: E402
from sensor_msgs.msg import Image, PointCloud2  # noqa: E402

from kd_seg_ros.clouds import autoware_node, ground_node, points_node  # noqa: E402

NAMESPACE = "/policed_clouds"
NODES: dict[str, tuple[Callable[..., Any], str, type[Any], list[dict[str, Any]]]] = {
    "points": (
        points_node.make,
        "segmentation/points",
        PointCloud2,
        [{"source": "depth"}, {"source": "points", "use_sim_time": True}],
    ),
    "ground": (
        ground_node.make,
        "segmentation/ground",
        OccupancyGrid,
        [{"use_sim_time": True}],
    ),
    "autoware": (autoware_node.make, "segmentation/autoware_mask", Image, [{"use_sim_time": True}]),
}
"""By the node's name: what makes it, an output with its type, and settings that together do everything."""


def all_seen(client: Client, name: str, done: Rules, expected: Rules) -> bool:
    """Add what the node has at this moment to ``done``; return whether all that is expected is there."""
    for kind, found in seen(client.node, name, NAMESPACE).items():
        done[kind] |= found
    return all(expected[kind] <= done[kind] for kind in KINDS)


@pytest.mark.parametrize("name", NODES)
def test_the_policy_allows_what_the_node_does_and_nothing_else(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tf2_ros", tf2_stand_in)
    make, output, message_type, settings = NODES[name]
    allowed = policy(name, NAMESPACE)
    if not hasattr(rclpy.node, "TypeDescriptionService"):  # Humble
        allowed["reply"].discard(f"{NAMESPACE}/{name}/get_type_description")
    # Of the first of two settings: what the other one lacks.
    with_depth = {f"{NAMESPACE}/depth/image", f"{NAMESPACE}/depth/camera_info"}
    first = {kind: with_depth if kind == "subscribe" else set[str]() for kind in KINDS}
    done: Rules = {kind: set() for kind in KINDS}
    client = Client(NAMESPACE.strip("/"))
    try:
        client.collect(output, message_type)  # the node waits for a listener
        for parameters in settings:
            expected = allowed if parameters is settings[-1] else first
            with node_here(make, NAMESPACE.strip("/"), parameters):
                wait_until(partial(all_seen, client, name, done, expected))
    finally:
        client.close()
    assert done == allowed
