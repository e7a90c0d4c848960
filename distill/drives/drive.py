"""The frames of a labelled drive: what its bag says of them before anything is replayed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.bags.cameras import choose_cameras
from kd_seg_ros.bags.headers import image_size, read_header
from kd_seg_ros.bags.messages import IMAGE, STORE, STRING, byte_map, parsed_messages, stamp_of, stamp_text
from kd_seg_ros.bags.reading import chosen_connections, messages, open_bag
from kd_seg_ros.common.classes import IGNORE_ID
from kd_seg_ros.common.errors import UserError, first_line

if TYPE_CHECKING:
    from rosbags.rosbag2 import Reader

LabelMap = NDArray[np.uint8]


@dataclass(frozen=True)
class DriveFrame:
    """One image message."""

    number: int
    """1 for the first."""
    frame_id: str
    time: int
    """Log time, ns."""
    condition: str | None
    """The weather, where the bag says it."""
    labelled: bool


@dataclass(frozen=True)
class Drive:
    """A bag and the topics in it that matter."""

    bag: Path
    topic: str
    compressed: bool
    labels_topic: str
    condition_topic: str | None
    frames: dict[int, DriveFrame]
    """By header stamp (ns), in the bag's order."""

    def labels(self, stamps: Collection[int]) -> Iterator[tuple[int, LabelMap]]:
        """Yield header stamp and label map, in the bag's order."""
        with open_bag(self.bag) as reader:
            for _, _, message in parsed_messages(reader, {self.labels_topic}):
                if (stamp := stamp_of(message)) in stamps:
                    yield stamp, byte_map(message)

    def images(self) -> Iterator[tuple[int, bytes]]:
        """Yield header stamp and serialised message of every frame, in the bag's order."""
        with open_bag(self.bag) as reader:
            for _, _, raw in messages(reader, chosen_connections(reader, [self.topic])):
                yield read_header(raw).stamp, raw


def survey(bag: Path, topic: str | None, labels: str, condition: str | None, num_classes: int) -> Drive:
    """Read the headers of all images and all of the labels.

    :param topic: of the images; None: the only one beside the labels.
    :param condition: topic of the weather; None: ``condition`` beside the images, if it is there.
    :param num_classes: labels must lie below, or be the ignore id.
    :raises UserError: if there is nothing to score, or labels do not fit.
    """
    with open_bag(bag) as reader:
        _require(reader, labels, IMAGE, "--labels-topic")
        camera = choose_cameras(reader, bag, None if topic is None else [topic], labels)[0]
        if condition is not None:
            _require(reader, condition, STRING, "--condition-topic")
        elif any(c.topic == camera.sibling("condition") and c.msgtype == STRING for c in reader.connections):
            condition = camera.sibling("condition")
        sizes: dict[int, tuple[int, int] | None] = {}
        frames: dict[int, tuple[str, int]] = {}
        for _, time, raw in messages(reader, chosen_connections(reader, [camera.topic])):
            try:
                stamp, frame_id = read_header(raw)
                size = None if camera.compressed else image_size(raw)
            except ValueError as error:
                raise UserError(
                    f"{bag}: image {len(frames) + 1} on {camera.topic}: {error}; segment_bag passes over such"
                ) from error
            if stamp in frames:
                raise UserError(
                    f"{bag}: two images on {camera.topic} have the same header stamp, {stamp_text(stamp)}: "
                    "their masks could not be told apart"
                )
            frames[stamp] = frame_id, time
            sizes[stamp] = size
        labelled = _check_labels(reader, labels, camera.topic, sizes, num_classes)
        weather = _weather(reader, condition)
    known = {
        stamp: DriveFrame(number, frame_id, time, _at(weather, time), stamp in labelled)
        for number, (stamp, (frame_id, time)) in enumerate(frames.items(), 1)
    }
    return Drive(bag, camera.topic, camera.compressed, labels, condition, known)


def _require(reader: Reader, topic: str, kind: str, option: str) -> None:
    """Raise UserError unless the bag has messages of this type on a topic."""
    found = chosen_connections(reader, [topic], option)
    if found[0].msgtype != kind:
        raise UserError(f"{option} {topic}: {reader.path} has {found[0].msgtype} there, not {kind}")
    if not any(c.msgcount for c in found):
        raise UserError(f"{option} {topic}: {reader.path} has no messages there")


def _check_labels(
    reader: Reader, topic: str, image_topic: str, sizes: dict[int, tuple[int, int] | None], num_classes: int
) -> set[int]:
    """Return the header stamps of the images that have labels."""
    where, count, found = f"--labels-topic {topic}", 0, set[int]()
    for _, _, raw in messages(reader, chosen_connections(reader, [topic], "--labels-topic")):
        count += 1
        try:
            stamp = read_header(raw).stamp
        except ValueError as error:
            raise UserError(f"{where}: label map {count}: {error}") from error
        if stamp not in sizes:
            continue
        at = f"{where}: at {stamp_text(stamp)}"
        if stamp in found:
            raise UserError(f"{at}: two label maps have this header stamp")
        found.add(stamp)
        try:
            labels = byte_map(STORE.deserialize_cdr(raw, IMAGE))
        except Exception as error:  # what a damaged message raises depends on where the damage is
            raise UserError(f"{at}: no label map: {first_line(error)}") from error
        size = sizes[stamp] or labels.shape
        if labels.shape != size:
            raise UserError(f"{at}: labels of {_size(labels.shape)} for an image of {_size(size)}")
        wrong = labels[(labels >= num_classes) & (labels != IGNORE_ID)]
        if wrong.size:
            raise UserError(
                f"{at}: the value {wrong[0]} is no class of the model: labels must be 0 to "
                f"{num_classes - 1}, or {IGNORE_ID} where there is none"
            )
    if not found:
        raise UserError(
            f"{where}: none of its {count} messages has the header stamp of an image on {image_topic}: "
            "labels must carry the stamp of their image"
        )
    return found


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}×{shape[0]}"


def _weather(reader: Reader, topic: str | None) -> list[tuple[int, str]]:
    """Log times and texts of the topic, in the order of time."""
    topics = {topic} if topic else set()
    return [(time, str(message.data)) for _, time, message in parsed_messages(reader, topics)]


def _at(weather: list[tuple[int, str]], time: int) -> str | None:
    """Return the last text up to a time."""
    index = bisect_right(weather, time, key=lambda entry: entry[0])
    return weather[index - 1][1] if index else None
