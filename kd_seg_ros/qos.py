"""Quality of service: what the node offers, and matching the cameras' reliability."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription

from kd_seg_ros.errors import UserError

try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError


def create_output(node: Node, message_type: type[Any], topic: str, latched: bool = False) -> Publisher:
    """Publish reliably, depth 1; ``qos_overrides.<topic>.publisher.*`` parameters may change that.

    :param latched: keep the last message for subscribers that come later (transient local).
    :raises UserError: if such a parameter cannot be used.
    """
    durability = DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE
    profile = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=durability)
    overriding = QoSOverridingOptions.with_default_policies()
    try:
        return node.create_publisher(message_type, topic, profile, qos_overriding_options=overriding)
    except (ParameterException, RuntimeError) as error:
        raise UserError(f"cannot publish {topic}: {error}") from error


def create_input(
    node: Node,
    message_type: type[Any],
    topic: str,
    callback: Callable[[Any], None],
    reliability: ReliabilityPolicy,
    lost: Callable[[Any], None],
    silent: bool = False,
) -> Subscription:
    """Subscribe, keeping the last frame only: an older one is of no use once a newer one is here.

    :param lost: called with the middleware's event when messages were lost on the way.
    :param silent: do not warn of publishers whose reliability does not fit; the caller sees to them.
    """
    profile = QoSProfile(depth=1, reliability=reliability)
    incompatible = (lambda _: None) if silent else None
    events = SubscriptionEventCallbacks(incompatible_qos=incompatible, message_lost=lost)
    try:
        return node.create_subscription(message_type, topic, callback, profile, event_callbacks=events)
    except UnsupportedEventTypeError:  # a middleware that does not tell
        events = SubscriptionEventCallbacks(incompatible_qos=incompatible)
        return node.create_subscription(message_type, topic, callback, profile, event_callbacks=events)


def matching_reliability(offered: Iterable[ReliabilityPolicy]) -> ReliabilityPolicy:
    """Return the reliability with which a subscription hears all of the publishers.

    Reliable if every publisher offers it (or none is there yet), best effort otherwise: a reliable
    subscription would not be connected to a best-effort publisher at all.
    """
    best_effort = any(policy == ReliabilityPolicy.BEST_EFFORT for policy in offered)
    return ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE
