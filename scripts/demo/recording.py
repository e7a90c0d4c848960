"""What the node has answered: its recorded maps beside the frames of the drive, matched by header stamp."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from drive import Drive, FrameInfo
from numpy.typing import NDArray

from distill.drives import recording as recording_of_node
from distill.drives.labels import label_map
from distill.drives.output_topics import OutputTopics
from distill.drives.processes import ReplayError
from kd_seg_ros.bags.messages import byte_map, stamp_text

OUTPUTS: Final = OutputTopics.of("")


@dataclass(frozen=True)
class Answer:
    """A frame of the drive and what the node made of it, all of one height and width."""

    info: FrameInfo
    image: NDArray[np.uint8]
    """RGB, [H, W, 3]."""
    labels: NDArray[np.uint8] | None
    """Class ids, [H, W]."""
    mask: NDArray[np.uint8]
    """Class ids, [H, W]."""
    confidence: NDArray[np.uint8]
    """round(255 · probability), [H, W]."""


def answered_stamps(recording: Path, drive: Drive) -> set[int]:
    """Return the header stamps of the frames that have a mask and a confidence map.

    :raises ReplayError: if the node's headers break the contract.
    """
    return recording_of_node.answered_stamps(recording, OUTPUTS, drive.frames)


def answers(recording: Path, drive: Drive, stamps: Collection[int]) -> Iterator[Answer]:
    """Yield the frames with these stamps and their maps, in the order of the drive.

    :raises ReplayError: if a map has another size or encoding than the contract says.
    :raises UserError: if labels do not fit their image.
    """
    maps = _maps(recording, stamps)
    pending: dict[int, tuple[NDArray[np.uint8], NDArray[np.uint8]]] = {}
    for stamp, image, labels in drive.images(stamps):
        while stamp not in pending:
            pending.update([next(maps)])
        mask, confidence = pending.pop(stamp)
        info = drive.frames[stamp]
        if not mask.shape == confidence.shape == image.shape[:2]:
            raise ReplayError(
                f"frame {info.number} is {image.shape[:2]}, its mask {mask.shape} and its confidence "
                f"{confidence.shape} (height, width)"
            )
        yield Answer(info, image, _labels(drive, info, labels, mask.shape), mask, confidence)


def _maps(
    recording: Path, stamps: Collection[int]
) -> Iterator[tuple[int, tuple[NDArray[np.uint8], NDArray[np.uint8]]]]:
    """Yield stamp, mask and confidence as soon as both have come."""
    for maps in recording_of_node.recorded_maps(recording, OUTPUTS, stamps):
        try:
            yield maps.stamp, (byte_map(maps.mask), byte_map(maps.confidence))
        except ValueError as error:
            raise ReplayError(f"segmentation at {stamp_text(maps.stamp)}: {error}") from error


def _labels(drive: Drive, info: FrameInfo, message: Any, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    if message is None:
        return None
    return label_map(message, shape, f"{drive.bag}: {drive.labels_topic}, frame {info.number}")
