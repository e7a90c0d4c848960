"""A drive: a bag with a camera's images and, perhaps, labels and the weather; surveyed before its replay."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.bags.cameras import CameraTopics, choose_cameras
from kd_seg_ros.bags.headers import image_size, read_header
from kd_seg_ros.bags.messages import (
    COMPRESSED_IMAGE,
    IMAGE,
    STORE,
    byte_map,
    parsed_messages,
    stamp_of,
    stamp_text,
)
from kd_seg_ros.bags.reading import chosen_connections, messages, open_bag
from kd_seg_ros.bags.text_topic import condition_texts
from kd_seg_ros.common.classes import IGNORE_ID
from kd_seg_ros.common.decode import decode_compressed, decode_image
from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.common.picture import RGBImage
from kd_seg_ros.common.topics import LABELS

if TYPE_CHECKING:
    from kd_seg_ros.bags.bag_reader import BagReader

LabelMap = NDArray[np.uint8]
"""Class ids, uint8 [H, W]; 255 is ignored."""


@dataclass(frozen=True)
class DriveFrame:
    """An image message of the drive, as far as it is known before its pixels are read."""

    number: int
    """Place in the drive, 1 for the first frame."""
    frame_id: str
    """Coordinate frame named in the image's header."""
    time: int
    """Log time, ns."""
    condition: str | None
    """The weather; None where the bag does not say it."""
    labelled: bool
    """Whether the bag has a label map with the image's header stamp."""


@dataclass(frozen=True)
class Drive:
    """A bag and the topics in it that matter."""

    bag: Path
    topic: str
    """Topic of the images."""
    compressed: bool
    """Whether they are ``sensor_msgs/CompressedImage``."""
    labels_topic: str | None
    """Topic of the label maps, mono8 class ids; None where there is none."""
    frames: dict[int, DriveFrame]
    """The images by header stamp (ns), in the bag's order."""
    left_out: tuple[Path, ...] = ()
    """Files of the bag that cannot be read; their frames are missing here."""

    @property
    def labelled(self) -> bool:
        """Whether any frame has labels."""
        return any(frame.labelled for frame in self.frames.values())

    @property
    def hertz(self) -> float | None:
        """Mean rate of the images in 1/s by their log times; None where it cannot be told."""
        times = [frame.time for frame in self.frames.values()]
        seconds = (times[-1] - times[0]) * 1e-9
        return (len(times) - 1) / seconds if seconds else None

    def without_labels(self) -> Drive:
        """Return the drive as if its bag had no labels."""
        frames = {stamp: replace(frame, labelled=False) for stamp, frame in self.frames.items()}
        return replace(self, labels_topic=None, frames=frames)

    def labels(self, stamps: Collection[int]) -> Iterator[tuple[int, LabelMap]]:
        """Yield header stamp (ns) and label map of those frames that have labels, in the bag's order."""
        if self.labels_topic is None:
            return
        with open_bag(self.bag) as reader:
            for _, _, message in parsed_messages(reader, {self.labels_topic}):
                stamp = stamp_of(message)
                if stamp in stamps and self.frames[stamp].labelled:
                    yield stamp, byte_map(message)

    def raw_images(self) -> Iterator[tuple[int, bytes]]:
        """Yield header stamp (ns) and serialised message (CDR) of every frame, in the bag's order."""
        with open_bag(self.bag) as reader:
            for _, _, raw in messages(reader, chosen_connections(reader, [self.topic])):
                yield read_header(raw).stamp, raw

    def images(self, stamps: Collection[int]) -> Iterator[tuple[int, RGBImage]]:
        """Yield header stamp (ns) and RGB image, uint8 [H, W, 3], of these frames, in the bag's order.

        :raises kd_seg_ros.common.picture.DecodeError: if an image is not usable; the node drops those.
        """
        kind = COMPRESSED_IMAGE if self.compressed else IMAGE
        decode = decode_compressed if self.compressed else decode_image
        for stamp, raw in self.raw_images():
            if stamp in stamps:
                yield stamp, decode(STORE.deserialize_cdr(raw, kind))


def survey(
    bag: Path,
    topic: str | None = None,
    labels: str | None = None,
    condition: str | None = None,
    num_classes: int | None = None,
) -> Drive:
    """Read the headers of all images, all of the labels and the weather.

    :param topic: topic of the images; None: the only one of the bag that holds no labels.
    :param labels: topic of the labels; None: ``labels`` next to the images, if it is there.
    :param condition: topic of the weather; None: ``condition`` next to the images, if it is there.
    :param num_classes: every label must be below this or the ignore id. None: labels are not looked at, and
        no frame counts as labelled.
    :raises UserError: if there are no images, no telling which, or the labels do not fit them.
    """
    with open_bag(bag) as reader:
        if labels is not None:
            _check_labels_topic(reader, labels)
        left_out = tuple(reader.left_out)
        camera = choose_cameras(reader, bag, None if topic is None else [topic], labels)[0]
        if labels is None:
            labels = _labels_next_to(camera, reader)
        images = _survey_images(reader, bag, camera)
        labelled = set[int]()
        if labels is not None and num_classes is not None:
            labelled = _survey_labels(reader, labels, camera.topic, images, num_classes)
    weather = condition_texts(bag, camera, condition)
    frames: dict[int, DriveFrame] = {}
    for number, (stamp, image) in enumerate(images.items(), 1):
        condition_then = weather.last(image.time)
        frames[stamp] = DriveFrame(number, image.frame_id, image.time, condition_then, stamp in labelled)
    return Drive(bag, camera.topic, camera.compressed, labels, frames, left_out)


@dataclass(frozen=True)
class _ImageHeader:
    """The beginning of an image message, before its pixels."""

    frame_id: str
    time: int
    """Log time, ns."""
    size: tuple[int, int] | None
    """(height, width); None for a compressed image, whose header does not tell it."""


def _check_labels_topic(reader: BagReader, topic: str) -> None:
    """Raise UserError unless the bag has image messages on a topic."""
    found = chosen_connections(reader, [topic], "--labels-topic")
    if found[0].msgtype != IMAGE:
        raise UserError(
            f"--labels-topic {topic}: {reader.path} has {found[0].msgtype} there; labels are mono8, "
            f"of type {IMAGE}"
        )
    if not any(c.msgcount for c in found):
        raise UserError(f"--labels-topic {topic}: {reader.path} has no messages there")


def _labels_next_to(camera: CameraTopics, reader: BagReader) -> str | None:
    """Return the topic called ``labels`` in a camera's namespace, if it holds images."""
    topic = camera.sibling(LABELS)
    found = any(c.topic == topic and c.msgtype == IMAGE and c.msgcount for c in reader.connections)
    return topic if found else None


def _survey_images(reader: BagReader, bag: Path, camera: CameraTopics) -> dict[int, _ImageHeader]:
    """Return the images by header stamp (ns), in the bag's order."""
    images: dict[int, _ImageHeader] = {}
    for _, time, raw in messages(reader, chosen_connections(reader, [camera.topic])):
        try:
            stamp, frame_id = read_header(raw)
            size = None if camera.compressed else image_size(raw)
        except ValueError as error:
            raise UserError(
                f"{bag}: image {len(images) + 1} on {camera.topic}: {error}; "
                "segment_bag passes over such images"
            ) from error
        if stamp in images:
            raise UserError(
                f"{bag}: two images on {camera.topic} have the same header stamp, {stamp_text(stamp)}: "
                "their masks could not be told apart"
            )
        images[stamp] = _ImageHeader(frame_id, time, size)
    return images


def _survey_labels(
    reader: BagReader, topic: str, image_topic: str, images: dict[int, _ImageHeader], num_classes: int
) -> set[int]:
    """Check every label map that belongs to an image; return the header stamps of those images."""
    where = f"--labels-topic {topic}"
    count = 0
    found = set[int]()
    for _, _, raw in messages(reader, chosen_connections(reader, [topic])):
        count += 1
        try:
            stamp = read_header(raw).stamp
        except ValueError as error:
            raise UserError(f"{where}: label map {count}: {error}") from error
        if stamp not in images:
            continue
        at = f"{where}: at {stamp_text(stamp)}"
        if stamp in found:
            raise UserError(f"{at}: two label maps have this header stamp")
        found.add(stamp)
        _check_label_map(raw, images[stamp].size, num_classes, at)
    if not found:
        raise UserError(
            f"{where}: none of its {count} messages has the header stamp of an image on {image_topic}: "
            "labels must carry the stamp of their image"
        )
    return found


def _check_label_map(raw: bytes, size: tuple[int, int] | None, num_classes: int, at: str) -> None:
    """Raise UserError, beginning with ``at``, unless a message holds class ids for an image of this size."""
    try:
        labels = byte_map(STORE.deserialize_cdr(raw, IMAGE))
    except Exception as error:  # what a damaged message raises depends on where the damage is
        raise UserError(f"{at}: no label map: {first_line(error)}") from error
    if size is not None and labels.shape != size:
        raise UserError(f"{at}: labels of {_size_text(labels.shape)} for an image of {_size_text(size)}")
    wrong = labels[(labels >= num_classes) & (labels != IGNORE_ID)]
    if wrong.size:
        raise UserError(
            f"{at}: the value {wrong[0]} is no class of the model: labels must be 0 to {num_classes - 1}, or "
            f"{IGNORE_ID} where there is none"
        )


def _size_text(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}×{shape[0]}"
