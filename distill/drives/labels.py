"""Labels of a bag's frames: from a topic of the bag, or from an ACDC tree by the names of the frames.

Both refuse what cannot fit before any frame is segmented, and return class ids, uint8 [H, W], 255 = ignored.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.bags.bag_reader import BagReader
from kd_seg_ros.bags.cameras import CameraTopics, connections_of
from kd_seg_ros.bags.headers import read_header
from kd_seg_ros.bags.messages import IMAGE, STORE, byte_map, stamp_of, stamp_text
from kd_seg_ros.bags.reading import messages, open_bag
from kd_seg_ros.bags.segmented_frames import SegmentedFrame
from kd_seg_ros.bags.text_topic import TextTopic
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.picture import turn
from kd_seg_ros.common.topics import FRAME_NAME

_logger = logging.getLogger(__name__)


class Labels(Protocol):
    """A source of labels for the frames of a bag."""

    where: dict[str, str]
    """Where the labels come from, for metrics.json."""
    unused: int
    """Number of labels that belong to no frame."""

    def of(self, answer: SegmentedFrame) -> NDArray[np.uint8] | None:
        """Return a frame's labels; None if it has none.

        :raises UserError: if they cannot be read or do not fit the frame.
        """

    def condition_of(self, answer: SegmentedFrame) -> str | None:
        """Return the weather of a frame, where it is known."""

    def close(self) -> None:
        """Close the files that are open."""


class TopicLabels:
    """``mono8`` images of class ids, each under the header stamp of the frame it belongs to."""

    def __init__(self, source: Path, camera: CameraTopics, topic: str, rotate: int = 0) -> None:
        """Find the stamps.

        :param rotate: degrees by which the frames, and so the labels, are turned clockwise.
        :raises UserError: if the topic is missing, of another type, or none of its stamps is an image's.
        """
        self._source, self._topic, self._rotate = source, topic, rotate
        self._files = ExitStack()
        self.where = {"bag": str(source), "topic": camera.topic, "labels_topic": topic}
        with open_bag(source) as reader:
            kinds = {c.topic: c.msgtype for c in reader.connections}
            if kinds.get(topic) != IMAGE:
                found = f"is of type {kinds[topic]}" if topic in kinds else f"is not in {source}"
                raise UserError(f"--labels-topic {topic} {found}: labels are images, mono8 ({IMAGE})")
            stamps: dict[str, dict[int, int]] = {camera.topic: {}, topic: {}}
            for connection, log_time, raw in messages(reader, connections_of(reader, stamps)):
                name = connection.topic
                try:
                    stamp = read_header(raw).stamp
                except ValueError as error:
                    if name == topic:
                        raise UserError(f"--labels-topic {topic}: {error}") from error
                    continue  # an image that cannot be decoded is counted elsewhere
                if name == camera.topic and stamp in stamps[name] and topic != camera.topic:
                    raise UserError(
                        f"--labels-topic {topic}: two images on {camera.topic} have the same header stamp, "
                        f"{stamp_text(stamp)}: it cannot be told whose labels these are"
                    )
                stamps[name][stamp] = log_time
        self._log_times = stamps[topic]
        if not self._log_times.keys() & stamps[camera.topic].keys():
            raise UserError(
                f"--labels-topic {topic}: none of its {len(self._log_times)} header stamps is that of an "
                f"image on {camera.topic}: {_range(self._log_times)} there, "
                f"{_range(stamps[camera.topic])} here"
            )
        self.unused = len(self._log_times.keys() - stamps[camera.topic].keys())

    def of(self, answer: SegmentedFrame) -> NDArray[np.uint8] | None:
        """Return a frame's labels, None if it has none; see :class:`Labels`."""
        log_time = self._log_times.get(answer.stamp)
        if log_time is None:
            return None
        where = f"--labels-topic {self._topic}, frame {answer.number}"
        connections = connections_of(self._reader, {self._topic})
        for connection, _, raw in messages(self._reader, connections, log_time, log_time + 1):
            message = STORE.deserialize_cdr(raw, connection.msgtype)  # as once before
            if stamp_of(message) == answer.stamp:
                labels = label_map(message, _camera_shape(answer, self._rotate), where)
                return turn(labels, self._rotate)
        raise UserError(f"{where}: the message is no longer in {self._source}")

    def condition_of(self, answer: SegmentedFrame) -> str | None:
        """Return what the bag's condition topic says."""
        return answer.condition

    def close(self) -> None:
        """Close the bag that the labels are read from."""
        self._files.close()

    @cached_property
    def _reader(self) -> BagReader:
        return self._files.enter_context(open_bag(self._source))


class AcdcLabels:
    """The labels of ACDC's own files, for bags of :mod:`distill.commands.make_bag`, which keep the files'
    names."""

    def __init__(self, source: Path, camera: CameraTopics, root: Path, rotate: int = 0) -> None:
        """List the tree.

        :param rotate: degrees by which the frames, and so the labels, are turned clockwise.
        :raises UserError: if the bag has no names, or the tree has no labels for any of them.
        """
        from distill.drives.acdc_labels import labelled_frames

        topic = camera.sibling(FRAME_NAME)
        names = TextTopic(source, topic).values()
        if not names:
            raise UserError(f"--acdc: {source} has no {topic}, which tells the frames' names: use make_bag")
        self._frames = labelled_frames(root)
        self._rotate = rotate
        self.where = {"bag": str(source), "topic": camera.topic, "acdc": str(root)}
        self.unused = 0
        if not self._frames.keys() & {Path(name).name for name in names}:
            raise UserError(
                f"--acdc {root}: none of the bag's frames has labels there ({names[0]} and so on)"
            )

    def of(self, answer: SegmentedFrame) -> NDArray[np.uint8] | None:
        """Return a frame's labels, None if it has none; see :class:`Labels`."""
        from distill.drives.acdc_labels import read_labels

        frame = self._frames.get(Path(answer.name or "").name)
        if frame is None:
            return None
        labels = read_labels(frame)
        _check_shape(labels, _camera_shape(answer, self._rotate), f"--acdc: {frame.labels}")
        return turn(labels, self._rotate)

    def condition_of(self, answer: SegmentedFrame) -> str | None:
        """Return the condition whose folder the frame is in."""
        frame = self._frames.get(Path(answer.name or "").name)
        return frame.condition if frame else answer.condition

    def close(self) -> None:
        """Do nothing: no file stays open."""


def open_labels(
    source: Path, camera: CameraTopics, topic: str | None, acdc: Path | None, rotate: int = 0
) -> Labels:
    """Open the labels of a bag's frames, and log how many belong to none of them.

    :param topic: of the labels in the bag, where ``acdc`` is not given.
    :param acdc: the tree of ACDC.
    :param rotate: degrees by which the frames, and so the labels, are turned clockwise.
    :raises UserError: if there are none that can fit.
    """
    labels: Labels
    if acdc is not None:
        labels = AcdcLabels(source, camera, acdc, rotate)
    else:
        assert topic is not None
        labels = TopicLabels(source, camera, topic, rotate)
    if labels.unused:
        _logger.warning(
            "%d labels belong to no image: no image on %s has their header stamp", labels.unused, camera.topic
        )
    return labels


def label_map(message: Any, shape: tuple[int, ...], where: str) -> NDArray[np.uint8]:
    """View a message as class ids of an image's shape.

    :raises UserError: if it is of another encoding or size, beginning with ``where``.
    """
    try:
        labels = byte_map(message)
    except (ValueError, TypeError) as error:
        raise UserError(f"{where}: {error}") from error
    _check_shape(labels, shape, where)
    return labels


def _camera_shape(answer: SegmentedFrame, rotate: int) -> tuple[int, ...]:
    """Return height and width of a frame as the camera sent it, before it was turned."""
    shape = answer.mask.shape
    return shape[::-1] if rotate in (90, 270) else shape


def _check_shape(labels: NDArray[np.uint8], shape: tuple[int, ...], where: str) -> None:
    if labels.shape != shape:
        raise UserError(f"{where}: labels of {labels.shape} for an image of {shape} (height, width)")


def _range(stamps: dict[int, int]) -> str:
    return f"{stamp_text(min(stamps))}…{stamp_text(max(stamps))}" if stamps else "none"
