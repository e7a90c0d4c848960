"""Environment variables with which processes pass large images to each other through Fast DDS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kd_seg_ros.common.allocator import VARIABLES
from kd_seg_ros.common.share import share_path

PROFILES: Final = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
"""Variables that name Fast DDS' file of settings: the one of Fast DDS 3, and that of Fast DDS 2."""
MEMORY: Final = VARIABLES
"""Keep the memory of one image for the next instead of giving it back to the kernel."""


def large_image_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables to add to an environment; those that the user has set are left alone.

    They give large images room in Fast DDS's shared memory (``config/fastdds_large_images.xml``) and in the
    allocator; both are read when a process starts.
    """
    added = {name: value for name, value in MEMORY.items() if name not in environment}
    if not any(name in environment for name in PROFILES):
        added[_profiles(environment)] = str(share_path("config/fastdds_large_images.xml"))
    return added


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


def _profiles(environment: Mapping[str, str]) -> str:
    """Name the variable to use: Fast DDS 2 knows the old one only; Fast DDS 3 warns about it."""
    return PROFILES[environment.get("ROS_DISTRO") in ("humble", "iron", "jazzy")]
