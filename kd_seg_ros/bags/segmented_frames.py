"""The frames of a bag beside what a segmentation of it holds for them, read once more, in order."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.bags.cameras import CameraTopics
from kd_seg_ros.bags.messages import STRING, byte_map, parsed_messages, stamp_of, stamp_text
from kd_seg_ros.bags.reading import chosen_connections, open_bag
from kd_seg_ros.bags.stream import frames
from kd_seg_ros.common.decode import RGBImage
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.topics import CONDITION, FRAME_NAME


@dataclass(frozen=True)
class SegmentedFrame:
    """A frame and its maps, all of one height and width."""

    number: int
    """Of the frame, from 1; those without an answer count, too."""
    stamp: int
    """Header stamp, ns."""
    log_time: int
    """ns."""
    condition: str | None
    """The weather, where the bag says it."""
    name: str | None
    """Of the file that the frame was made from, where the bag says it."""
    image: RGBImage
    mask: NDArray[np.uint8]
    """Class ids, [H, W]."""
    confidence: NDArray[np.uint8]
    """round(255 · probability), [H, W]."""


def segmented_frames(
    source: Path, camera: CameraTopics, out: Path, condition_topic: str | None = None
) -> Generator[SegmentedFrame, None, None]:
    """Yield every frame that has an answer, in the bag's order.

    :param out: a bag of :mod:`kd_seg_ros.bags.segmenting`, finished or not, of the bag ``source``.
    :param condition_topic: of ``std_msgs/String``; None: ``condition`` beside the camera's topic, if there.
    :raises UserError: if a bag is damaged, or ``out`` is not of this one.
    """
    weather = condition_texts(source, camera, condition_topic)
    names = Texts(source, camera.sibling(FRAME_NAME))
    maps = _maps(out, camera)
    found = next(maps, None)
    with open_bag(source) as reader, closing(frames(reader, [camera])) as all_frames:
        for number, frame in enumerate(all_frames, 1):
            if found is None:
                return
            log_time, stamp, mask, confidence = found
            if frame.image is None or (frame.log_time, frame.stamp) != (log_time, stamp):
                continue
            yield SegmentedFrame(
                number,
                stamp,
                log_time,
                weather.last(log_time),
                names.at(log_time),
                frame.image,
                mask,
                confidence,
            )
            found = next(maps, None)
    if found is not None:
        raise UserError(
            f"{out}: the maps of header stamp {stamp_text(found[1])} have no image on {camera.topic} of "
            f"{source} in its order: segment it again, with --overwrite"
        )


def condition_texts(source: Path, camera: CameraTopics, topic: str | None) -> Texts:
    """Read the weather.

    :param topic: of ``std_msgs/String``; None: ``condition`` beside the camera's topic, if there.
    :raises UserError: if the topic named is not there, or is of another type.
    """
    if topic is not None:
        with open_bag(source) as reader:
            found = chosen_connections(reader, [topic], "--condition-topic")[0]
            if found.msgtype != STRING:
                raise UserError(f"--condition-topic {topic} is of type {found.msgtype}, not {STRING}")
    return Texts(source, topic or camera.sibling(CONDITION))


class Texts:
    """The messages of a ``std_msgs/String`` topic by log time; none where the bag has no such topic."""

    def __init__(self, bag: Path, topic: str) -> None:
        with open_bag(bag) as reader:
            kinds = {c.topic: c.msgtype for c in reader.connections}
            read = parsed_messages(reader, {topic}) if kinds.get(topic) == STRING else iter(())
            entries = [(log_time, str(message.data)) for _, log_time, message in read]
        self._entries = sorted(entries, key=lambda entry: entry[0])  # a bag's files may overlap

    def values(self) -> list[str]:
        """Return all texts in their order."""
        return [text for _, text in self._entries]

    def last(self, log_time: int) -> str | None:
        """Return the last text up to a time (ns)."""
        index = bisect_right(self._entries, log_time, key=lambda entry: entry[0])
        return self._entries[index - 1][1] if index else None

    def at(self, log_time: int) -> str | None:
        """Return the text of exactly this time (ns)."""
        index = bisect_right(self._entries, log_time, key=lambda entry: entry[0])
        return self._entries[index - 1][1] if index and self._entries[index - 1][0] == log_time else None


def _maps(out: Path, camera: CameraTopics) -> Iterator[tuple[int, int, NDArray[np.uint8], NDArray[np.uint8]]]:
    """Yield log time, header stamp, mask and confidence."""
    with open_bag(out) as reader:
        found = parsed_messages(reader, (camera.mask, camera.confidence))
        for (first, log_time, mask), (second, _, confidence) in zip(found, found, strict=True):
            if (first, second) != (camera.mask, camera.confidence):
                raise UserError(f"{out}: {first} is followed by {second}: segment it again, with --overwrite")
            try:
                yield log_time, stamp_of(mask), byte_map(mask), byte_map(confidence)
            except (ValueError, TypeError) as error:
                raise UserError(f"{out}: {camera.mask}: {error}") from error
