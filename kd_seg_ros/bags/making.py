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

import numpy as np
from numpy.typing import NDArray

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
    png,
    string_cdr,
)
from kd_seg_ros.bags.pictures import Picture, PictureContent
from kd_seg_ros.bags.writing import STORAGES, BagWriter, file_stem
from kd_seg_ros.common.encodings import MONO8, RGB8
from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.common.files import reason
from kd_seg_ros.common.picture import DECODE_DEFAULTS, DecodeOptions, RGBImage
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
    """Write ``CompressedImage``: image files byte for byte, the frames of a video as JPEG. A file that Exif
    calls turned is turned upright and becomes a PNG, without loss."""
    frame_id: str = "camera"
    storage: str = "mcap"
    start: int = START_S * 10**9
    """Stamp of the first frame, ns."""
    condition: str | None = None
    """The weather of all frames; None: named by the folder each frame lies in."""
    calibration: CameraCalibration | None = None
    """Calibration for ``camera_info``; None: it says the size only."""
    decoding: DecodeOptions = DECODE_DEFAULTS
    """How image files are decoded."""
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
        whole = making / file_stem(out)
        with BagWriter(whole, version=METADATA_VERSION, storage_plugin=STORAGES[recording.storage]) as bag:
            bag.set_custom_data("source", "kd_seg_ros make_bag")
            write = Channels(bag)
            for picture in pictures:
                _record(picture, recording, write)
                count += 1
                on_frame()
        whole.replace(out)
    except (OSError, sqlite3.Error) as error:
        why = reason(error) if isinstance(error, OSError) else first_line(error)
        raise UserError(f"{out} cannot be written: {why}") from error
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
    content = picture.content(recording.decoding)
    rgb = content.rgb
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
    if recording.compressed:
        cdr = compressed_cdr(head, content.kind, _file_bytes(content))
        write(f"{recording.topic}{COMPRESSED}", COMPRESSED_IMAGE, stamp, cdr)
    else:
        write(recording.topic, IMAGE, stamp, image_cdr(head, rgb, RGB8))


def _file_bytes(content: PictureContent) -> NDArray[np.uint8]:
    """Return the bytes of an image file of a picture: the file's own, or compressed again."""
    if content.file_bytes is not None:
        return np.frombuffer(content.file_bytes, np.uint8)
    return (png if content.kind == "png" else jpeg)(content.rgb)


def _check_size(name: str, rgb: RGBImage, calibration: CameraCalibration) -> None:
    size = rgb.shape[:2]
    if size != calibration.size:
        (height, width), (other_height, other_width) = size, calibration.size
        raise UserError(
            f"--calibration is for {other_width}×{other_height} images; {name} is {width}×{height}"
        )
