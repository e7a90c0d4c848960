"""A rosbag2 of pictures: a camera's images with what is known of each.

Next to the image topic, in its namespace and with the same log time, lie ``frame_name`` (std_msgs/String, the
file), ``condition`` (std_msgs/String, where the weather is known), ``labels`` (mono8 trainIds under the
image's header) and ``camera_info``.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rosbags.rosbag2 import Writer

from kd_seg_ros.bags.camera_calibration import CameraCalibration, uncalibrated
from kd_seg_ros.bags.cameras import CameraTopics
from kd_seg_ros.bags.channels import Channels
from kd_seg_ros.bags.messages import (
    CAMERA_INFO,
    COMPRESSED_IMAGE,
    IMAGE,
    METADATA_VERSION,
    STRING,
    compressed_cdr,
    header,
    image_cdr,
    jpeg,
    string_cdr,
)
from kd_seg_ros.bags.pictures import Picture
from kd_seg_ros.bags.resumable_bag import STORAGES
from kd_seg_ros.common.decode import decode_compressed
from kd_seg_ros.common.encodings import MONO8, RGB8
from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.common.picture import DecodeError, RGBImage
from kd_seg_ros.common.topics import COMPRESSED, CONDITION, FRAME_NAME, LABELS

START_S = 1_700_000_000
"""Default stamp of the first frame, so that the same pictures give the same bag."""
LATEST_S = 2**31
"""Header stamps hold less (int32)."""


@dataclass(frozen=True)
class RecordingSettings:
    """How pictures are recorded: topics, stamps, file format and what is written next to each image."""

    topic: str = "/camera/image_raw"
    """Topic of raw images; compressed ones go to the same name with ``/compressed`` at its end."""
    compressed: bool = False
    """Write ``CompressedImage``: image files byte for byte, the frames of a video as JPEG."""
    frame_id: str = "camera"
    storage: str = "mcap"
    start: int = START_S * 10**9
    """Stamp of the first frame, ns."""
    condition: str | None = None
    """The weather of all frames; None: named by the folder each frame lies in."""
    calibration: CameraCalibration | None = None
    """Calibration for ``camera_info``; None: it says the size only."""
    labels: Callable[[Picture], NDArray[np.uint8] | None] | None = None
    """Function that returns the class ids [H, W] of a picture, or None for one without labels."""


def make_bag(
    pictures: Iterable[Picture],
    out: Path,
    recording: RecordingSettings | None = None,
    on_frame: Callable[[], None] = lambda: None,
) -> int:
    """Write a new bag, whole or not at all; return its number of frames.

    :raises UserError: if ``out`` is there, a picture or its labels cannot be read, or nothing can be written.
    """
    recording = recording or RecordingSettings()
    if out.exists():
        raise UserError(f"{out} is there already: give the name of a new folder, or remove it")
    making = out.parent / f".{out.name}.making"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(making, ignore_errors=True)
        count = 0
        with Writer(
            making / out.name, version=METADATA_VERSION, storage_plugin=STORAGES[recording.storage]
        ) as bag:
            bag.set_custom_data("source", "kd_seg_ros make_bag")
            write = Channels(bag)
            for picture in pictures:
                _record(picture, recording, write)
                count += 1
                on_frame()
        (making / out.name).replace(out)
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or first_line(error)
        raise UserError(f"{out} cannot be written: {reason}") from error
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return count


def _record(picture: Picture, recording: RecordingSettings, write: Channels) -> None:
    """Write all messages of a picture, the image last: whoever has the image has the rest."""
    stamp = recording.start + picture.time
    if not 0 <= stamp < LATEST_S * 10**9:
        raise UserError(
            f"{picture.name}: a stamp of {stamp // 10**9} s is beyond what a message can hold: do --start, "
            "--hertz and the numbers in the names fit? --consecutive passes over the numbers"
        )
    head = header(stamp, recording.frame_id)
    camera = CameraTopics(recording.topic, recording.compressed, "")
    compressed = _compressed(picture) if recording.compressed else None
    rgb = compressed.rgb if compressed else picture.rgb()
    write(camera.sibling(FRAME_NAME), STRING, stamp, string_cdr(picture.name))
    condition = recording.condition or picture.condition
    if condition:
        write(camera.sibling(CONDITION), STRING, stamp, string_cdr(condition))
    labels = recording.labels(picture) if recording.labels else None
    if labels is not None:
        write(camera.sibling(LABELS), IMAGE, stamp, image_cdr(head, labels, MONO8))
    if recording.calibration:
        _check_size(picture.name, rgb, recording.calibration)
        info = recording.calibration.cdr(head)
    else:
        info = uncalibrated(head, rgb.shape[:2])
    write(camera.sibling("camera_info"), CAMERA_INFO, stamp, info)
    if compressed:
        cdr = compressed_cdr(head, compressed.format, compressed.data)
        write(f"{recording.topic}{COMPRESSED}", COMPRESSED_IMAGE, stamp, cdr)
    else:
        write(recording.topic, IMAGE, stamp, image_cdr(head, rgb, RGB8))


class _Compressed(NamedTuple):
    """Content of a compressed message and its pixels; its fields are those of a ``CompressedImage``."""

    format: str
    data: NDArray[np.uint8]
    rgb: RGBImage


def _compressed(picture: Picture) -> _Compressed:
    """Compress a video's frame, or take an image file as it is.

    :raises UserError: if the node could not decode it: a damaged file must not get into the bag.
    """
    if picture.file is None:
        rgb = picture.rgb()
        return _Compressed("jpeg", jpeg(rgb), rgb)
    kind = "png" if picture.file.suffix.lower() == ".png" else "jpeg"
    found = _Compressed(kind, np.fromfile(picture.file, np.uint8), np.empty((0, 0, 3), np.uint8))
    try:
        return found._replace(rgb=decode_compressed(found))
    except DecodeError as error:
        raise UserError(f"{picture.file}: {error}") from error


def _check_size(name: str, rgb: RGBImage, calibration: CameraCalibration) -> None:
    size = rgb.shape[:2]
    if size != calibration.size:
        (height, width), (other_height, other_width) = size, calibration.size
        raise UserError(
            f"--calibration is for {other_width}×{other_height} images; {name} is {width}×{height}"
        )
