"""Which ``qos_overrides`` parameters belong to this node: those are checked, all others are left alone.

A parameter file may hold the overrides of a whole vehicle. rclpy itself reads those of the topics that a node
makes, and passes over the rest, slips of the pen included.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from rclpy.node import Node
from rclpy.qos_overriding_options import QoSOverridingOptions

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.suggest import did_you_mean, nearest
from kd_seg_ros.common.topics import COMPRESSED, IMAGE, OUTPUTS
from kd_seg_ros.node.parameter_names import QOS_OVERRIDES
from kd_seg_ros.node.qos import output_name

POLICIES: Final = [
    policy.name.lower() for policy in QoSOverridingOptions.with_default_policies().policy_kinds
]
"""What can be overridden: history, depth and reliability."""
ALIKE: Final = 0.85
"""Likeness from which a topic counts as a slip of the pen, 0…1: all begin alike."""


class Override(NamedTuple):
    """The parts of a name such as ``qos_overrides./segmentation/mask.publisher.depth``."""

    topic: str
    entity: str
    """``publisher`` or ``subscription``."""
    policy: str


def check_overrides(node: Node) -> None:
    """Refuse overrides of this node's topics that nothing reads; warn of those that another namespace has.

    Overrides of outputs that are not offered with the present parameters are accepted, and so are those of
    other nodes' topics.

    :raises UserError: with the name at fault and the nearest that exists.
    """
    outputs = {output_name(node, topic): topic.name for topic in OUTPUTS}
    base = node.resolve_topic_name(IMAGE)
    inputs = [base, f"{base}{COMPRESSED}"]
    elsewhere = []
    ours = False
    for name in node._parameter_overrides:
        if not name.startswith(QOS_OVERRIDES):
            continue
        given = _split(name)
        if given.topic in outputs or given.topic in inputs:
            _check(name, given, list(outputs))
            ours = True
        elif given.topic.endswith(tuple(f"/{short}" for short in outputs.values())):
            elsewhere.append(given.topic)
        elif _is_slip(given.topic, list(outputs), node.get_namespace()):
            _refuse(name, list(outputs))
    if elsewhere and not ours:
        # A list for several cameras has an entry for each of them; without one for this node, a namespace
        # was probably forgotten.
        node.get_logger().warning(
            f"qos_overrides of {', '.join(sorted(set(elsewhere)))} are not for this node, which publishes "
            f"{', '.join(outputs)}"
        )


def _split(name: str) -> Override:
    """Take the name of an override apart; parts that are missing are empty."""
    topic, _, rest = name.removeprefix(QOS_OVERRIDES).partition(".")
    entity, _, policy = rest.partition(".")
    return Override(topic, entity, policy)


def _check(name: str, given: Override, outputs: list[str]) -> None:
    """Refuse an override of a topic of ours unless it is one of an output's policies."""
    if given.topic not in outputs or given.entity != "publisher" or given.policy not in POLICIES:
        _refuse(name, outputs)


def _is_slip(topic: str, outputs: list[str], namespace: str) -> bool:
    """Return whether a topic in this node's own namespace is nearly one of its outputs, but none."""
    root = f"{namespace.rstrip('/')}/"
    if not topic.startswith(root):
        return False
    within = [output.removeprefix(root) for output in outputs if output.startswith(root)]
    return bool(nearest(topic.removeprefix(root), within, alike=ALIKE))


def _refuse(name: str, outputs: list[str]) -> None:
    known = []
    for output in outputs:
        known += [f"{QOS_OVERRIDES}{output}.publisher.{policy}" for policy in POLICIES]
    advice = did_you_mean(name, known, alike=ALIKE) or "."
    raise UserError(
        f"unknown parameter {name!r}{advice} There are {', '.join(POLICIES)} of each output; the "
        "image topic has the parameter reliability, and keeps the newest image only"
    )
