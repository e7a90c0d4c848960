"""Quality of service: what the node offers, and matching the cameras' reliability."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.topics import COMPRESSED, OutputTopic, message_class

try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError

DEPTH: Final = 5
"""Messages that an output keeps for subscribers that have lost a part of one. With 1 a message is replaced
before the lost part is asked for: a subscriber reports a loss when it hears of the next message."""


def output_name(node: Node, topic: OutputTopic) -> str:
    """Return the full name of an output, after remapping.

    What is published next to a topic (``segmentation/mask/compressed``) moves with it when it is remapped,
    as image_transport's topics do, unless a rule names it itself.
    """
    resolved: str = node.resolve_topic_name(topic.name)
    base, ending, _ = topic.name.rpartition(COMPRESSED)
    if ending and resolved == node.resolve_topic_name(topic.name, only_expand=True):
        return f"{node.resolve_topic_name(base)}{COMPRESSED}"
    return resolved


def create_output(node: Node, topic: OutputTopic) -> Publisher:
    """Publish a topic reliably; ``qos_overrides.<topic>.publisher.*`` parameters may change that.

    :raises UserError: if such a parameter cannot be used.
    :raises ImportError: where the package of the message's type is not installed.
    """
    message_type = message_class(topic)
    durability = DurabilityPolicy.TRANSIENT_LOCAL if topic.latched else DurabilityPolicy.VOLATILE
    depth = 1 if topic.latched else DEPTH
    profile = QoSProfile(depth=depth, reliability=ReliabilityPolicy.RELIABLE, durability=durability)
    overriding = QoSOverridingOptions.with_default_policies()
    name = output_name(node, topic)
    try:
        return node.create_publisher(message_type, name, profile, qos_overriding_options=overriding)
    except (ParameterException, RuntimeError) as error:
        raise UserError(f"cannot publish {topic.name}: {error}") from error


def create_input(
    node: Node,
    message_type: type[Any],
    topic: str,
    callback: Callable[..., None],
    reliability: ReliabilityPolicy,
    lost: Callable[[Any], None],
    silent: bool = False,
) -> Subscription:
    """Subscribe, keeping the last frame only: an older one is of no use once a newer one is here.

    :param callback: takes the message, or message and information where rclpy offers both.
    :param lost: called with the middleware's event when messages were lost on the way.
    :param silent: do not warn of publishers whose reliability does not fit; the caller adapts to them.
    """
    profile = QoSProfile(depth=1, reliability=reliability)
    incompatible = _ignore if silent else None
    events = SubscriptionEventCallbacks(incompatible_qos=incompatible, message_lost=lost)
    try:
        return node.create_subscription(message_type, topic, callback, profile, event_callbacks=events)
    except UnsupportedEventTypeError:  # a middleware that does not report losses
        events = SubscriptionEventCallbacks(incompatible_qos=incompatible)
        return node.create_subscription(message_type, topic, callback, profile, event_callbacks=events)


def _ignore(_event: Any) -> None:
    """Do nothing about an event."""


def matching_reliability(offered: Iterable[ReliabilityPolicy]) -> ReliabilityPolicy:
    """Return the reliability with which a subscription hears all of the publishers.

    Reliable if every publisher offers it (or none is there yet), best effort otherwise: a reliable
    subscription would not be connected to a best-effort publisher at all.
    """
    best_effort = any(policy == ReliabilityPolicy.BEST_EFFORT for policy in offered)
    return ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE
