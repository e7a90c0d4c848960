"""Settings with which processes, this one included, pass large images to each other through Fast DDS."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from kd_seg_ros.common.allocator import VARIABLES
from kd_seg_ros.common.share import share_path
from kd_seg_ros.common.shared_memory import FOLDER, NEEDED, free_bytes

PROFILES: Final = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
"""Variables that name Fast DDS' file of settings: the one of Fast DDS 3, and that of Fast DDS 2."""
OWN_CHOICES: Final = (*PROFILES, "FASTDDS_BUILTIN_TRANSPORTS", "ROS_DISCOVERY_SERVER")
"""Variables by which a user chooses settings or transports of Fast DDS; with one of them nothing is added."""
OWN_FILES: Final = ("DEFAULT_FASTDDS_PROFILES.xml", "DEFAULT_FASTRTPS_PROFILES.xml")
"""Settings that Fast DDS finds by itself in the current folder."""
MEMORY: Final = VARIABLES
"""Keep the memory of one image for the next instead of giving it back to the kernel."""
SHIPPED: Final = "config/fastdds_large_images.xml"


def large_image_environment(environment: Mapping[str, str], processes: int = 1) -> dict[str, str]:
    """Return the variables to add to an environment; those that the user has set are left alone.

    They give large images room in Fast DDS's shared memory (``config/fastdds_large_images.xml``), unless
    another middleware is chosen or the room is not there, and in the allocator; both are read when a process
    starts.

    :param processes: number of processes that will get these variables.
    """
    added = {name: value for name, value in MEMORY.items() if name not in environment}
    if uses_fast_dds(environment) and not _chosen(environment) and _has_room(processes):
        added[_profiles(environment)] = str(share_path(SHIPPED))
    return added


def prepare_large_images() -> str:
    """Make room in Fast DDS's shared memory for this process, before it makes its first node.

    Processes that it starts later inherit the variable.

    :return: what was done, for one line of the log; empty if the user's own settings, or another middleware,
        leave nothing to do.
    """
    if not uses_fast_dds(os.environ) or _chosen(os.environ):
        return ""
    variable = _profiles(os.environ)
    if not _has_room(1):
        return (
            f"large images may get lost: {FOLDER} has no room for {NEEDED // 2**20} MiB of Fast DDS' "
            "shared memory, so that its own small setting stays (docs/ros.md, containers and users)"
        )
    file = str(share_path(SHIPPED))
    os.environ[variable] = file
    return f"large images: Fast DDS uses {file}; set {variable} to choose other settings"


def uses_fast_dds(environment: Mapping[str, str]) -> bool:
    """Return whether the ROS middleware is Fast DDS, as it is where nothing is chosen."""
    return (environment.get("RMW_IMPLEMENTATION") or "rmw_fastrtps_cpp").startswith("rmw_fastrtps")


def large_image_remedy(middleware: str, environment: Mapping[str, str]) -> str:
    """Say, in half a sentence, what to do where a camera's large images do not come through.

    :param middleware: name of the ROS middleware, such as ``rmw_fastrtps_cpp``.
    """
    if not middleware.startswith("rmw_fastrtps"):
        return (
            "large images need larger buffers on the camera's side, see docs/ros.md, or send image/compressed"
        )
    return (
        "large images need a larger shared-memory segment on the camera's side: start its driver with "
        f"{_profiles(environment)}=config/fastdds_large_images.xml of this package, or send image/compressed"
    )


def _chosen(environment: Mapping[str, str]) -> bool:
    """Return whether the user has chosen settings of Fast DDS, by a variable or a file in this folder."""
    return any(name in environment for name in OWN_CHOICES) or any(Path(name).exists() for name in OWN_FILES)


def _has_room(processes: int) -> bool:
    """Return whether the segments of so many processes fit into shared memory."""
    free = free_bytes()
    # An eighth more: a segment has a head, and its locks and queues lie next to it.
    return free is not None and free >= processes * NEEDED * 9 // 8


def _profiles(environment: Mapping[str, str]) -> str:
    """Name the variable to use: Fast DDS 2 knows the old one only; Fast DDS 3 warns about it."""
    return PROFILES[environment.get("ROS_DISTRO") in ("humble", "iron", "jazzy")]
