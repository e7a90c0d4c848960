"""Reading back what was recorded of a node: its maps in pairs, next to the frames they answer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from distill.drives.drive import Drive, DriveFrame, LabelMap
from distill.drives.output_topics import OutputTopics
from kd_seg_ros.bags.messages import byte_map, parsed_messages, stamp_of, stamp_text
from kd_seg_ros.bags.reading import open_bag
from kd_seg_ros.common.child_process import ProcessError
from kd_seg_ros.common.encodings import FLOAT32
from kd_seg_ros.common.picture import RGBImage

T = TypeVar("T")


class Sent(Protocol):
    """A frame that was sent, as far as its header must be compared."""

    @property
    def frame_id(self) -> str:
        """Coordinate frame named in the image's header."""


class RecordedMaps(NamedTuple):
    """The two maps that a node has published for one frame."""

    stamp: int
    """Header stamp, ns."""
    mask: NDArray[np.uint8]
    """Class ids, [H, W]."""
    probability: NDArray[np.float32]
    """Probability of that class, 0…1, [H, W]."""


@dataclass(frozen=True)
class AnsweredFrame:
    """An image of the drive and the node's maps of it; all arrays have one height and width."""

    frame: DriveFrame
    mask: NDArray[np.uint8]
    """Class ids, [H, W]."""
    probability: NDArray[np.float32]
    """Probability of that class, 0…1, [H, W]."""
    labels: LabelMap | None
    """Class ids, [H, W]; None where the frame has no labels."""
    image: RGBImage | None
    """RGB, uint8 [H, W, 3]; None where images were not asked for."""


def answered_stamps(recording: Path, outputs: OutputTopics, sent: Mapping[int, Sent]) -> set[int]:
    """Return the header stamps (ns) of the frames that have a mask and a confidence map.

    :param sent: the frames by header stamp.
    :raises ProcessError: if the node's headers break the contract: a stamp that no frame has, one that
        comes twice, or a frame_id that is not the frame's.
    """
    stamps: dict[str, set[int]] = {outputs.mask: set(), outputs.confidence: set()}
    with open_bag(recording) as reader:
        for topic, _, message in parsed_messages(reader, stamps):
            stamp = stamp_of(message)
            frame = sent.get(stamp)
            where = f"{topic} at {stamp_text(stamp)}"
            if frame is None:
                raise ProcessError(f"{where}: no frame of the drive has this stamp")
            if stamp in stamps[topic]:
                raise ProcessError(f"{where}: published twice")
            if message.header.frame_id != frame.frame_id:
                raise ProcessError(f"{where}: frame_id {message.header.frame_id!r}, not {frame.frame_id!r}")
            stamps[topic].add(stamp)
    return stamps[outputs.mask] & stamps[outputs.confidence]


def recorded_maps(recording: Path, outputs: OutputTopics, stamps: Collection[int]) -> Iterator[RecordedMaps]:
    """Yield mask and confidence of the frames asked for, each pair as soon as both have come.

    :raises ProcessError: if a map has another encoding than the contract says.
    """
    waiting: dict[int, dict[str, Any]] = {}
    with open_bag(recording) as reader:
        for topic, _, message in parsed_messages(reader, (outputs.mask, outputs.confidence)):
            stamp = stamp_of(message)
            if stamp not in stamps:
                continue
            pair = waiting.setdefault(stamp, {})
            pair[topic] = message
            if len(pair) == 2:
                del waiting[stamp]
                yield _maps(stamp, pair[outputs.mask], pair[outputs.confidence])


def answered_frames(
    recording: Path, outputs: OutputTopics, drive: Drive, stamps: Collection[int], images: bool = False
) -> Iterator[AnsweredFrame]:
    """Yield frames with the maps that were recorded of them and their labels, in the drive's order.

    :param stamps: header stamps (ns) of frames that have both maps, see :func:`answered_stamps`.
    :param images: decode the camera's images as well.
    :raises ProcessError: if a map has another size or encoding than the contract says.
    """
    maps = ByStamp((found.stamp, found) for found in recorded_maps(recording, outputs, stamps))
    labels = ByStamp(drive.labels(stamps))
    pictures = ByStamp(drive.images(stamps)) if images else None
    for stamp, frame in drive.frames.items():
        if stamp not in stamps:
            continue
        _, mask, probability = maps.take(stamp)
        truth = labels.take(stamp) if frame.labelled else None
        image = pictures.take(stamp) if pictures else None
        for what, array in (("labels are", truth), ("the image is", image)):
            if array is not None and not mask.shape == probability.shape == array.shape[:2]:
                raise ProcessError(
                    f"frame {frame.number}: {what} {array.shape[:2]}, the mask {mask.shape} and the "
                    f"confidence {probability.shape} (height, width): the node must run with output_scale 1.0"
                )
        yield AnsweredFrame(frame, mask, probability, truth, image)


class ByStamp(Generic[T]):
    """Finds the items of an iterator by header stamp; those that come before the one asked for wait."""

    def __init__(self, items: Iterable[tuple[int, T]]) -> None:
        """Take an iterator over (header stamp in ns, item)."""
        self._items = iter(items)
        self._waiting: dict[int, T] = {}

    def take(self, stamp: int) -> T:
        """Return the item of a stamp, once; StopIteration if the iterator has none."""
        while stamp not in self._waiting:
            found, item = next(self._items)
            self._waiting[found] = item
        return self._waiting.pop(stamp)


def _maps(stamp: int, mask: Any, confidence: Any) -> RecordedMaps:
    """View two messages as arrays."""
    try:
        return RecordedMaps(stamp, byte_map(mask), _probability(confidence))
    except (ValueError, TypeError) as error:
        raise ProcessError(f"segmentation at {stamp_text(stamp)}: {error}") from error


def _probability(message: Any) -> NDArray[np.float32]:
    """Return a confidence map, mono8 or 32FC1, as probabilities 0…1."""
    if message.encoding != FLOAT32:
        return byte_map(message) / np.float32(255)
    shape, strides = (message.height, message.width), (message.step, 4)
    dtype = np.dtype(np.float32).newbyteorder(">" if message.is_bigendian else "<")
    return np.ndarray(shape, dtype, buffer=message.data, strides=strides).astype(np.float32)
