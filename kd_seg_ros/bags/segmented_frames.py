"""The frames of a bag with the maps that a segmentation of it holds for them, read again in order."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.bags.cameras import CameraTopics
from kd_seg_ros.bags.messages import byte_map, parsed_messages, stamp_of, stamp_text
from kd_seg_ros.bags.reading import open_bag
from kd_seg_ros.bags.stream import frames
from kd_seg_ros.bags.text_topic import TextTopic, condition_texts
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.picture import DECODE_DEFAULTS, DecodeOptions, RGBImage
from kd_seg_ros.common.topics import FRAME_NAME


@dataclass(frozen=True)
class SegmentedFrame:
    """An image with its mask and its confidence, all of one height and width."""

    number: int
    """Number of the frame in the bag, from 1; frames without maps count, too."""
    stamp: int
    """Header stamp, ns."""
    log_time: int
    """Log time, ns."""
    condition: str | None
    """The weather; None where the bag does not say it."""
    name: str | None
    """Name of the file that the frame was made from; None where the bag does not say it."""
    image: RGBImage
    mask: NDArray[np.uint8]
    """Class ids, [H, W]."""
    confidence: NDArray[np.uint8]
    """round(255 · probability), [H, W]."""


def segmented_frames(
    source: Path,
    camera: CameraTopics,
    out: Path,
    condition_topic: str | None = None,
    decoding: DecodeOptions = DECODE_DEFAULTS,
) -> Generator[SegmentedFrame, None, None]:
    """Yield every frame that has maps, in the bag's order.

    :param out: a bag of :mod:`kd_seg_ros.bags.segmenting`, finished or not, of the bag ``source``.
    :param condition_topic: of ``std_msgs/String``; None: ``condition`` next to the camera's topic, if there.
    :param decoding: how ``out`` was made: images are turned as its maps are.
    :raises UserError: if a bag is damaged, or ``out`` is not of this one.
    """
    weather = condition_texts(source, camera, condition_topic)
    names = TextTopic(source, camera.sibling(FRAME_NAME))
    maps = _maps(out, camera)
    found = next(maps, None)
    with open_bag(source) as reader, closing(frames(reader, [camera], decoding)) as all_frames:
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


def last_masks(
    out: Path, cameras: Sequence[CameraTopics], times: Mapping[str, Sequence[int]]
) -> dict[str, NDArray[np.uint8]]:
    """Return the mask of each camera's last frame in a bag of maps, uint8 [H, W], by the camera's topic.

    :param out: as for :func:`segmented_frames`, not finished.
    :param times: topic → number of frames, log time (ns) of the first and of the last one.
    :raises UserError: if the bag is damaged.
    """
    found = {}
    with open_bag(out) as reader:
        for camera in cameras:
            if camera.topic not in times:
                continue
            last = times[camera.topic][2]
            for _, _, mask in parsed_messages(reader, [camera.mask], last, last + 1):
                found[camera.topic] = byte_map(mask).copy()
    return found


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
