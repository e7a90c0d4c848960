"""Why no image comes: what is looked at, in which order, and what is advised. No ROS in here.

A finding is said only if it was seen: the topic's publishers, the topics that are published at all, the room
in ``/dev/shm``, the settings of this process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from kd_seg_ros.common.fast_dds import large_image_remedy
from kd_seg_ros.common.ros_environment import DOMAIN
from kd_seg_ros.common.shared_memory import NEEDED
from kd_seg_ros.common.suggest import nearest
from kd_seg_ros.common.topics import COMPRESSED

RAW_TYPE: Final = "sensor_msgs/msg/Image"
COMPRESSED_TYPE: Final = "sensor_msgs/msg/CompressedImage"
NAMED_AT_MOST: Final = 4
"""Topics that a line names."""
LARGE_SEGMENT: Final = 8 * 2**20
"""Bytes from which another process' segment was made for large images; Fast DDS' default is 0.5 MB."""
USUAL: Final = {
    DOMAIN: ("", "0"),
    "RMW_IMPLEMENTATION": ("",),
    "ROS_LOCALHOST_ONLY": ("", "0"),
    "ROS_AUTOMATIC_DISCOVERY_RANGE": ("", "SUBNET"),
    "ROS_STATIC_PEERS": ("",),
    "ROS_DISCOVERY_SERVER": ("",),
    "ROS_SECURITY_ENABLE": ("", "false"),
    "CYCLONEDDS_URI": ("",),
    "ZENOH_CONFIG_OVERRIDE": ("",),
}
"""Variables that decide which nodes see each other, with the values that change nothing."""


@dataclass(frozen=True)
class SharedMemory:
    """What ``/dev/shm`` says."""

    free: int | None
    """Bytes; None where it does not exist."""
    foreign_owners: Sequence[int]
    """Ids of users whose Fast DDS segments this process cannot use."""
    largest_of_others: int
    """Bytes of the largest segment of another process."""


@dataclass(frozen=True)
class Surroundings:
    """What was seen when no image came."""

    topic: str
    """Full name of the image topic that is subscribed to."""
    compressed: bool
    """It is the topic of compressed images."""
    publishers: int
    obstacle: str
    """Why these publishers cannot be heard; empty if they can."""
    published: Mapping[str, Sequence[str]]
    """Types of all topics that somebody publishes."""
    other_nodes: int
    environment: Mapping[str, str]
    middleware: str
    shared_memory: SharedMemory


def cause(seen: Surroundings) -> str:
    """Return half a sentence that says why no image comes, as far as that can be seen, and what to do."""
    if not seen.publishers:
        return f"nobody publishes it; {_elsewhere(seen)}"
    number = f"{seen.publishers} publisher{'s' if seen.publishers > 1 else ''}"
    return f"it has {number}, but {seen.obstacle or _on_the_way(seen)}"


def unusual_settings(environment: Mapping[str, str]) -> list[str]:
    """List the settings of a process that other nodes must share, or that keep it from seeing them."""
    return [
        f"{name}={environment[name]}"
        for name, usual in USUAL.items()
        if environment.get(name, "") not in usual
    ]


def _elsewhere(seen: Surroundings) -> str:
    """Say where images are, if the topic has no publisher."""
    base = seen.topic.removesuffix(COMPRESSED) if seen.compressed else seen.topic
    packed = _of_type(seen, COMPRESSED_TYPE)
    if not seen.compressed and f"{base}{COMPRESSED}" in packed:
        return f"but {base}{COMPRESSED} is published: set compressed to true (compressed:=true)"
    if seen.compressed and base in _of_type(seen, RAW_TYPE):
        return f"but {base} is published: set compressed to false (compressed:=false)"
    siblings = sorted(name for name in seen.published if name.startswith(f"{base}/"))
    if siblings:
        return (
            f"only {_list(siblings)} exists, which this node does not read: publish raw or compressed "
            "images, as by `ros2 run image_transport republish`"
        )
    cameras = sorted({*_of_type(seen, RAW_TYPE), *(name.removesuffix(COMPRESSED) for name in packed)})
    if cameras:
        first = nearest(base, cameras, count=len(cameras), alike=0.0)
        best = first[0]
        more = "" if best in _of_type(seen, RAW_TYPE) else " compressed:=true"
        return f"images are published on {_list(first)}: remap the image topic, as by image:={best}{more}"
    if seen.other_nodes:
        return (
            f"no image topic is published, though {seen.other_nodes} other nodes are seen: start the camera"
        )
    settings = [setting for setting in unusual_settings(seen.environment) if not setting.startswith(DOMAIN)]
    domain = f"{DOMAIN}={seen.environment.get(DOMAIN) or 0}"
    return (
        "no other node is seen at all: start the camera, with the settings of this process "
        f"({', '.join([domain, *settings, seen.middleware])})"
    )


def _on_the_way(seen: Surroundings) -> str:
    """Say what may keep the images of a publisher that fits from arriving."""
    hz = f"nothing arrives. Does the camera send (ros2 topic hz {seen.topic})?"
    if seen.compressed or not seen.middleware.startswith("rmw_fastrtps"):
        return f"{hz} If it does, {large_image_remedy(seen.middleware, seen.environment)}"
    memory = seen.shared_memory
    if memory.foreign_owners:
        users = ", ".join(map(str, memory.foreign_owners))
        return (
            f"the shared memory of another user (uid {users}) cannot be used by this process: if the camera "
            "runs as that user, run both as one, or see 'Containers and users' in docs/ros.md"
        )
    if memory.free is not None and memory.free < NEEDED:
        return (
            f"/dev/shm has {memory.free / 1e6:.0f} MB left: end what fills it (fastdds shm clean removes "
            "what killed nodes have left), or give it more room (docker run --shm-size), and start both again"
        )
    if memory.largest_of_others >= LARGE_SEGMENT:
        return f"{hz} The shared memory is large enough; if it sends, start camera and node again"
    return f"{hz} If it does, {large_image_remedy(seen.middleware, seen.environment)}"


def _of_type(seen: Surroundings, kind: str) -> list[str]:
    """List the published topics of a type, but for those of segmentation nodes."""
    return [name for name, kinds in seen.published.items() if kind in kinds and "/segmentation/" not in name]


def _list(names: Sequence[str]) -> str:
    """Join names, no more than a line holds."""
    more = len(names) - NAMED_AT_MOST
    return ", ".join(names[:NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")
