"""The camera topics of a bag, and the names of what belongs to each."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from rosbags.interfaces import Connection

from kd_seg_ros.bags.bag_reader import BagReader
from kd_seg_ros.bags.messages import IMAGE
from kd_seg_ros.bags.reading import IMAGE_TYPES
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.topics import COMPRESSED, LABELS

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class CameraTopics:
    """An image topic and the topics of its maps."""

    topic: str
    compressed: bool
    outputs: str
    """Beginning of the names of its outputs, such as ``/segmentation``."""

    @property
    def mask(self) -> str:
        """Topic of the class ids, mono8."""
        return f"{self.outputs}/mask"

    @property
    def confidence(self) -> str:
        """Topic of the confidence, mono8: round(255 · probability)."""
        return f"{self.outputs}/confidence"

    @property
    def drivable(self) -> str:
        """Topic of the drivable pixels, mono8: 255, 0 or, where it is not known, 127."""
        return f"{self.outputs}/drivable"

    @property
    def overlay(self) -> str:
        """Topic of the image with the classes laid over it, bgr8."""
        return f"{self.outputs}/overlay"

    def sibling(self, name: str) -> str:
        """Return the topic of this name in the camera's namespace."""
        return f"{namespace(self.topic)}/{name}"


def choose_cameras(
    reader: BagReader, path: Path, wanted: Sequence[str] | None, labels: str | None = None
) -> list[CameraTopics]:
    """Return the cameras to segment, in the order they are asked for.

    :param wanted: image topics, with or without ``/compressed``; None: the only one of the bag. Topics called
        ``labels`` are no cameras then.
    :param labels: another topic that is no camera.
    :raises UserError: if there is none, a choice to make, or a topic is missing or of another type.
    """
    kinds = {c.topic: c.msgtype for c in reader.connections}
    images = {c.topic for c in reader.connections if c.msgtype in IMAGE_TYPES and c.msgcount}
    cameras = {t for t in images if t != labels and t.rpartition("/")[2] != LABELS}
    listed = ", ".join(sorted(cameras or images))
    if wanted is None:
        if not cameras:
            raise UserError(f"{path}: the bag has no image topics; it has {', '.join(sorted(kinds))}")
        if len(cameras) > 1:
            raise UserError(f"{path}: choose one or more of its image topics with --topic: {listed}")
        wanted = list(cameras)
    names: list[str] = []
    for topic in wanted:
        name = find_image_topic(topic, images, tell_other=len(wanted) == 1)
        if name is None:
            found = f"is of type {kinds[topic]}" if topic in kinds else f"is not in {path}"
            found = "has no messages" if kinds.get(topic) in IMAGE_TYPES else found
            raise UserError(f"--topic {topic} {found}; its image topics are {listed or 'none'}")
        if name not in names:
            names.append(name)
    outputs = _outputs(names)
    return [CameraTopics(name, kinds[name] != IMAGE, outputs[name]) for name in names]


def find_image_topic(topic: str, known: Collection[str], tell_other: bool = True) -> str | None:
    """Return the image topic that is meant by a name given with or without ``/compressed``; None if none is.

    ``image_transport`` publishes ``/camera/image`` and ``/camera/image/compressed``; a bag often has one of
    them only. Where it has both, the name as given counts.

    :param known: the image topics that there are.
    :param tell_other: log that there is another form of the topic, which may have been meant.
    """
    other = topic.removesuffix(COMPRESSED) if topic.endswith(COMPRESSED) else topic + COMPRESSED
    if topic in known:
        if other in known and tell_other:
            LOGGER.warning("%s is taken; the bag has %s, too: give that name to take it", topic, other)
        return topic
    return other if other in known else None


def namespace(topic: str) -> str:
    """Return what stands before the last part of an image topic's name, ``/compressed`` left aside."""
    return topic.removesuffix(COMPRESSED).rpartition("/")[0]


def connections_of(reader: BagReader, topics: Collection[str]) -> list[Connection]:
    """List a bag's connections on some topics."""
    return [c for c in reader.connections if c.topic in topics]


def _outputs(topics: Sequence[str]) -> dict[str, str]:
    """Return where each camera's outputs go: like those of a node without a namespace, or in the camera's."""
    if len(topics) == 1:
        return {topics[0]: "/segmentation"}
    spaces = [namespace(topic) for topic in topics]
    if len(set(spaces)) < len(spaces):  # several cameras in one namespace
        spaces = [topic.removesuffix(COMPRESSED) for topic in topics]
    if len(set(spaces)) < len(spaces):  # an image and its own compressed form
        spaces = list(topics)
    return {topic: f"{space}/segmentation" for topic, space in zip(topics, spaces, strict=True)}
