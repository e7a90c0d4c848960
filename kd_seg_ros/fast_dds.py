"""Environment variables with which processes pass large images to each other through Fast DDS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kd_seg_ros.share import share_path

PROFILES: Final = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
MEMORY: Final = {"MALLOC_MMAP_THRESHOLD_": "268435456", "MALLOC_TRIM_THRESHOLD_": "1073741824"}
"""Keep the memory of one image for the next instead of giving it back to the kernel."""


def large_image_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what to add to ``environment``, which stays as the user has set it otherwise.

    Room for large images in Fast DDS's shared memory (``config/fastdds_large_images.xml``) and in the
    allocator; both are read when a process starts.
    """
    added = {name: value for name, value in MEMORY.items() if name not in environment}
    if not any(name in environment for name in PROFILES):
        # Fast DDS 2 knows the old name only; Fast DDS 3 warns about it.
        old = environment.get("ROS_DISTRO") in ("humble", "iron", "jazzy")
        added[PROFILES[old]] = str(share_path("config/fastdds_large_images.xml"))
    return added
