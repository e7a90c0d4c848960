"""Publishers for a bag's topics, with the quality of service they were recorded with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.common.files import read_text
from kd_seg_ros.playback.message_types import message_class

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.publisher import Publisher
    from rclpy.qos import QoSProfile
    from rosbags.interfaces import Connection

Overrides = Mapping[str, Mapping[str, Any]]
"""Topic → policy → value, as the overrides file says it."""

_POLICIES: Final = {
    "reliability": ("reliable", "best_effort"),
    "durability": ("volatile", "transient_local"),
    "history": ("keep_last", "keep_all"),
    "depth": (),
}


def create_publishers(
    node: Node, connections: Sequence[Connection], overrides: Overrides
) -> dict[str, Publisher]:
    """Create a publisher per topic; those whose message types are not installed are left out with a warning.

    :raises UserError: if none is left.
    """
    publishers: dict[str, Publisher] = {}
    missing: dict[str, str] = {}
    for connection in connections:
        topic = connection.topic
        if topic in publishers or topic in missing:
            continue
        kind = message_class(connection.msgtype)
        if kind is None:
            missing[topic] = connection.msgtype
            continue
        profile = quality_of_service([c for c in connections if c.topic == topic], overrides.get(topic, {}))
        publishers[topic] = node.create_publisher(kind, topic, profile)
    listed = ", ".join(f"{topic} ({msgtype})" for topic, msgtype in missing.items())
    if not publishers:
        raise UserError(
            f"none of the bag's topics can be published: install the message packages of {listed}; those "
            "in the current folder do not count"
        )
    if missing:
        node.get_logger().warning(f"left out, since their message types are not installed: {listed}")
    return publishers


def quality_of_service(connections: Sequence[Connection], override: Mapping[str, Any]) -> QoSProfile:
    """Return the profile a topic was recorded with; of several the strictest, which suits every subscriber.

    :param override: policies that replace those of the recording.
    """
    from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

    offers = offered(connections)
    policies = {
        "history": "keep_last",
        "depth": max((qos.depth for qos in offers), default=0) or 10,
        "reliability": "best_effort" if offers and not any(map(_reliable, offers)) else "reliable",
        "durability": "transient_local" if is_latched(connections) else "volatile",
        **override,
    }
    return QoSProfile(
        history=HistoryPolicy[policies["history"].upper()],
        depth=policies["depth"],
        reliability=ReliabilityPolicy[policies["reliability"].upper()],
        durability=DurabilityPolicy[policies["durability"].upper()],
    )


def offered(connections: Sequence[Connection]) -> list[Any]:
    """Return the profiles with which the recorded publishers offered a topic."""
    return [qos for c in connections for qos in c.ext.offered_qos_profiles]  # type: ignore[union-attr]


def is_latched(connections: Sequence[Connection]) -> bool:
    """Return whether one of the topic's publishers kept its last messages for late subscribers."""
    return any(qos.durability.name == "TRANSIENT_LOCAL" for qos in offered(connections))


def _reliable(qos: Any) -> bool:
    return bool(qos.reliability.name != "BEST_EFFORT")


def read_overrides(path: Path | None) -> Overrides:
    """Read a file as ``ros2 bag play --qos-profile-overrides-path`` takes it.

    It maps topics to policies. Here reliability, durability, history and depth may be set; what is not
    named stays as recorded.

    :raises UserError: if it cannot be read, or says anything else.
    """
    if path is None:
        return {}
    import yaml

    try:
        content = yaml.safe_load(read_text(path))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a YAML file: {first_line(error)}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: must map topics to policies, e.g. /camera: {{reliability: best_effort}}")
    return {str(topic): _checked(f"{path}: {topic}", policies) for topic, policies in content.items()}


def _checked(where: str, policies: object) -> Mapping[str, Any]:
    if not isinstance(policies, dict):
        raise UserError(f"{where}: must map policies to values: {', '.join(_POLICIES)}")
    for name, value in policies.items():
        if name not in _POLICIES:
            raise UserError(f"{where}: policy {name!r} is not one of {', '.join(_POLICIES)}")
        choices = _POLICIES[name]
        if choices and value not in choices:
            raise UserError(f"{where}: {name} must be {' or '.join(choices)}, not {value!r}")
        if not choices and not (isinstance(value, int) and value > 0):
            raise UserError(f"{where}: {name} must be a whole number above 0, not {value!r}")
    return policies
