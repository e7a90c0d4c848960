"""The drive that is replayed: a rosbag2 with camera images and, perhaps, labels and the weather."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from bags import open_writer
from numpy.typing import NDArray
from rosbags.interfaces import ConnectionExtRosbag2

from kd_seg_ros.bags.messages import IMAGE, STORE, parsed_messages, stamp_of, stamp_text
from kd_seg_ros.common.decode import decode_compressed, decode_image
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.playback.play_bag import image_topics, messages, open_bag

LABELS_TOPIC: Final = "/camera/labels"
CONDITION_TOPIC: Final = "/camera/condition"


@dataclass(frozen=True)
class FrameInfo:
    """What is known of a frame before its pixels are read."""

    number: int
    """1 for the first of the drive."""
    frame_id: str
    condition: str | None
    """The weather, where the bag says it."""
    labelled: bool
    time: int
    """Log time, ns."""


@dataclass(frozen=True)
class Drive:
    """A bag and the topics in it that matter."""

    bag: Path
    topic: str
    compressed: bool
    labels_topic: str | None
    frames: dict[int, FrameInfo]
    """By header stamp (ns), in the bag's order."""

    @property
    def labelled(self) -> bool:
        """Whether any frame has labels."""
        return any(info.labelled for info in self.frames.values())

    def without_labels(self) -> Drive:
        """Return the drive as if its bag had none."""
        frames = {stamp: replace(info, labelled=False) for stamp, info in self.frames.items()}
        return replace(self, labels_topic=None, frames=frames)

    @property
    def hertz(self) -> float | None:
        """Mean rate of the frames; None where it cannot be told."""
        times = [info.time for info in self.frames.values()]
        span = times[-1] - times[0]
        return (len(times) - 1) / (span * 1e-9) if span else None

    def images(self, stamps: Collection[int]) -> Iterator[tuple[int, NDArray[np.uint8], Any]]:
        """Yield stamp, RGB image and labels message (None: not labelled) of the frames asked for.

        :raises kd_seg_ros.common.decode.DecodeError: if an image is not usable; the node drops those.
        """
        decode = decode_compressed if self.compressed else decode_image
        pending: dict[int, dict[str, Any]] = {}
        with open_bag(self.bag) as reader:
            for topic, _, message in parsed_messages(reader, {self.topic, self.labels_topic or self.topic}):
                stamp = stamp_of(message)
                if stamp not in stamps or stamp not in self.frames:
                    continue
                group = pending.setdefault(stamp, {})
                group[topic] = message
                if self.topic in group and len(group) == 1 + self.frames[stamp].labelled:
                    yield stamp, decode(group[self.topic]), group.get(self.labels_topic or "")
                    del pending[stamp]


def survey(bag: Path, topic: str | None = None, labels_topic: str | None = None) -> Drive:
    """Find the images, labels and conditions of a bag.

    :param topic: the image topic; may be None if the bag has only one beside the labels.
    :param labels_topic: None: ``/camera/labels`` if the bag has it.
    :raises UserError: if there is nothing to replay, or no telling what.
    """
    with open_bag(bag) as reader:
        kinds = image_topics(reader)
        if labels_topic is not None and labels_topic not in kinds:
            raise UserError(f"--labels-topic {labels_topic}: {bag} has no such images")
        if labels_topic is None and LABELS_TOPIC in kinds:
            labels_topic = LABELS_TOPIC
        topic = _choose_topic(bag, topic, {name for name in kinds if name != labels_topic})

        images: dict[int, tuple[str, int]] = {}
        labels: set[int] = set()
        weather: list[tuple[int, str]] = []
        for name, time, message in parsed_messages(reader, {topic, labels_topic or topic, CONDITION_TOPIC}):
            if name == CONDITION_TOPIC:
                weather.append((time, message.data))
                continue
            stamp = stamp_of(message)
            if name == labels_topic:
                labels.add(stamp)
            elif stamp in images:
                raise UserError(
                    f"{bag}: two images on {topic} have the same header stamp, {stamp_text(stamp)}: "
                    "their masks could not be told apart"
                )
            else:
                images[stamp] = (message.header.frame_id, time)
    frames = {
        stamp: FrameInfo(number, frame_id, _at(weather, time), stamp in labels, time)
        for number, (stamp, (frame_id, time)) in enumerate(images.items(), 1)
    }
    return Drive(bag, topic, kinds[topic] != IMAGE, labels_topic, frames)


def excerpt(drive: Drive, limit: int, path: Path) -> Drive:
    """Write the first ``limit`` frames of a drive, with their labels, into a bag of their own."""
    kept = dict(islice(drive.frames.items(), limit))
    with open_bag(drive.bag) as reader, open_writer(path) as writer:
        sources = [c for c in reader.connections if c.topic in (drive.topic, drive.labels_topic)]
        copies = {}
        for source in sources:
            assert isinstance(source.ext, ConnectionExtRosbag2)
            copies[source.id] = writer.add_connection(
                source.topic,
                source.msgtype,
                typestore=STORE,
                offered_qos_profiles=source.ext.offered_qos_profiles,
            )
        for source, time, raw in messages(reader, sources):
            if stamp_of(STORE.deserialize_cdr(raw, source.msgtype)) in kept:
                writer.write(copies[source.id], time, raw)
    return replace(drive, bag=path, frames=kept)


def _choose_topic(bag: Path, wanted: str | None, topics: Collection[str]) -> str:
    if not topics:
        raise UserError(f"{bag}: the bag has no image topics")
    listed = ", ".join(sorted(topics))
    if wanted is None:
        if len(topics) > 1:
            raise UserError(f"{bag}: choose one of its image topics with --topic: {listed}")
        return next(iter(topics))
    if wanted not in topics:
        raise UserError(f"--topic {wanted}: {bag} has no such images; it has {listed}")
    return wanted


def _at(weather: list[tuple[int, str]], time: int) -> str | None:
    """Return the last text up to a time."""
    index = bisect_right(weather, time, key=lambda entry: entry[0])
    return weather[index - 1][1] if index else None
