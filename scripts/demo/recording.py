"""What the node has answered: its recorded maps beside the frames of the drive, matched by header stamp."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from bags import byte_map, parsed_messages, stamp_of
from drive import Drive, FrameInfo
from numpy.typing import NDArray
from processes import ReplayError

from kd_seg_ros.errors import UserError
from kd_seg_ros.play_bag import open_bag

MASK: Final = "/segmentation/mask"
CONFIDENCE: Final = "/segmentation/confidence"
DIAGNOSTICS: Final = "/diagnostics"

STAGES: Final = {
    "decode_ms": "decoding the message",
    "inference_ms": "network",
    "publish_ms": "publishing",
    "latency_ms": "arrival to published",
}
"""What the node times per frame, and reports as percentiles."""


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

    :raises ReplayError: if the node's headers break the contract: a stamp that no frame has, one that
        comes twice, or a frame_id that is not the frame's.
    """
    stamps: dict[str, set[int]] = {MASK: set(), CONFIDENCE: set()}
    with open_bag(recording) as reader:
        for topic, _, message in parsed_messages(reader, stamps):
            stamp = stamp_of(message)
            info = drive.frames.get(stamp)
            where = f"{topic} at {stamp / 1e9:.9f}"
            if info is None:
                raise ReplayError(f"{where}: no frame of the drive has this stamp")
            if stamp in stamps[topic]:
                raise ReplayError(f"{where}: published twice")
            if message.header.frame_id != info.frame_id:
                raise ReplayError(f"{where}: frame_id {message.header.frame_id!r}, not {info.frame_id!r}")
            stamps[topic].add(stamp)
    return stamps[MASK] & stamps[CONFIDENCE]


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
    waiting: dict[int, dict[str, NDArray[np.uint8]]] = {}
    with open_bag(recording) as reader:
        for topic, _, message in parsed_messages(reader, (MASK, CONFIDENCE)):
            stamp = stamp_of(message)
            if stamp not in stamps:
                continue
            pair = waiting.setdefault(stamp, {})
            try:
                pair[topic] = byte_map(message)
            except ValueError as error:
                raise ReplayError(f"{topic} at {stamp / 1e9:.9f}: {error}") from error
            if len(pair) == 2:
                del waiting[stamp]
                yield stamp, (pair[MASK], pair[CONFIDENCE])


def _labels(drive: Drive, info: FrameInfo, message: Any, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    if message is None:
        return None
    where = f"{drive.bag}: {drive.labels_topic}, frame {info.number}"
    try:
        labels = byte_map(message)
    except (ValueError, TypeError) as error:
        raise UserError(f"{where}: {error}") from error
    if labels.shape != shape:
        raise UserError(f"{where}: labels of {labels.shape} for an image of {shape} (height, width)")
    return labels
