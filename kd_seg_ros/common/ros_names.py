"""The grammar of ROS 2's names (https://design.ros2.org/articles/topic_and_service_names.html)."""

from __future__ import annotations

import re
from typing import Final

_LONGEST_TOPIC: Final = 247  # what DDS leaves of 255 after ROS's prefix (RMW_TOPIC_MAX_NAME_LENGTH)
_TOPIC: Final = re.compile(r"(/[A-Za-z_][A-Za-z0-9_]*)+")
_TYPE: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*/(msg|srv|action)/[A-Z][A-Za-z0-9]*(_[A-Za-z0-9]+)*")


def is_topic_name(text: str) -> bool:
    """Return whether a text is the full name of a topic: parts of letters, digits and _, each after a /."""
    return _TOPIC.fullmatch(text) is not None and len(text) <= _LONGEST_TOPIC


def is_type_name(text: str) -> bool:
    """Return whether a text names a type, such as ``sensor_msgs/msg/Image``."""
    return len(text) <= 255 and _TYPE.fullmatch(text) is not None
