"""The quality of service that a bag keeps of each topic."""

from __future__ import annotations

from typing import Any

from rosbags.interfaces import Qos
from rosbags.rosbag2.metadata import parse_qos

from kd_seg_ros.common.errors import first_line


def parsed_offers(offered: Any) -> list[Qos]:
    """Return the profiles that a topic's publishers offered.

    :param offered: YAML, or the list in it, as files and ``metadata.yaml`` of all versions have it.
    :raises ValueError: if it is neither.
    """
    try:
        return list(parse_qos(offered))
    except Exception as error:  # what it raises depends on what is wrong
        raise ValueError(f"offered_qos_profiles cannot be read: {first_line(error)}") from error
