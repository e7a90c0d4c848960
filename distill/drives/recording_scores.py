"""Scoring recorded maps against a drive's labels, with the metrics code of the offline half."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from distill.drives.drive import Drive
from distill.drives.output_topics import OutputTopics
from distill.drives.processes import ReplayError
from distill.drives.recording import RecordedMaps, recorded_maps
from kd_seg_ros.bags.messages import byte_map, stamp_text

if TYPE_CHECKING:
    from distill.evaluation.mask_scores import MaskScores


def score(
    recording: Path, outputs: OutputTopics, drive: Drive, stamps: Collection[int], class_names: Sequence[str]
) -> MaskScores:
    """Sum up mask and confidence of the frames of ``stamps`` that have labels, in total and per condition.

    :raises ReplayError: if a map has another size or encoding than the contract says.
    """
    from distill.evaluation.mask_scores import MaskScores

    scores = MaskScores(class_names, keep_images=False)
    wanted = {stamp for stamp in stamps if drive.frames[stamp].labelled}
    maps = recorded_maps(recording, outputs, wanted)
    pending: dict[int, RecordedMaps] = {}
    for stamp, labels in drive.labels(wanted):
        mask, probability = _arrays(_fetch(stamp, maps, pending))
        if not mask.shape == probability.shape == labels.shape:
            raise ReplayError(
                f"frame {drive.frames[stamp].number}: labels are {labels.shape}, the mask {mask.shape} and "
                f"the confidence {probability.shape} (height, width): the node must run with output_scale 1.0"
            )
        condition = drive.frames[stamp].condition
        try:
            scores.update_mask(condition, stamp_text(stamp), labels, mask, probability)
        except ValueError as error:
            raise ReplayError(f"frame {drive.frames[stamp].number}: {error}") from error
    return scores


def _fetch(stamp: int, maps: Iterator[RecordedMaps], pending: dict[int, RecordedMaps]) -> RecordedMaps:
    """Return the maps of a frame; those of others that come before it wait."""
    while stamp not in pending:
        found = next(maps)
        pending[found.stamp] = found
    return pending.pop(stamp)


def _arrays(maps: RecordedMaps) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return class ids and their probability, 0…1."""
    try:
        return byte_map(maps.mask), _probability(maps.confidence)
    except (ValueError, TypeError) as error:
        raise ReplayError(f"segmentation at {stamp_text(maps.stamp)}: {error}") from error


def _probability(message: Any) -> NDArray[np.float32]:
    if message.encoding != "32FC1":
        return byte_map(message) / np.float32(255)
    shape, strides = (message.height, message.width), (message.step, 4)
    dtype = np.dtype(np.float32).newbyteorder(">" if message.is_bigendian else "<")
    return np.ndarray(shape, dtype, buffer=message.data, strides=strides).astype(np.float32)
