"""Environment variables that keep the processes of a replay apart from all other ROS 2 nodes."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from typing import Final

from kd_seg_ros.common.fast_dds import large_image_environment

DOMAIN: Final = "ROS_DOMAIN_ID"
DISCOVERY: Final = ("ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_LOCALHOST_ONLY")
"""How far ROS 2 looks for other nodes: the variable from Iron on, and Humble's."""


def isolated_domain(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what to add to ``environment`` for nodes that others neither hear nor disturb.

    A domain drawn from 1…101, and discovery on this machine only. What the user has set stays.
    """
    added = {}
    if DOMAIN not in environment:
        added[DOMAIN] = str(random.SystemRandom().randint(1, 101))
    if not environment.keys() & set(DISCOVERY):
        humble = environment.get("ROS_DISTRO") == "humble"
        added |= {"ROS_LOCALHOST_ONLY": "1"} if humble else {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    return added


def isolated_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return :func:`isolated_domain`, and what lets large images pass between processes (``fast_dds``)."""
    return large_image_environment(environment) | isolated_domain(environment)


def isolate_this_process() -> None:
    """Isolate this process and those it will start, whatever domain the user's robot is in."""
    for name in (DOMAIN, *DISCOVERY):
        os.environ.pop(name, None)
    os.environ.update(isolated_environment(os.environ))
