"""Writes a drive into a rosbag2 (MCAP) that ``ros2 bag play`` and ``play_bag`` replay.

Topics, all with the frame's stamp as log time and frame_id ``camera``: ``/camera/image_raw``
(sensor_msgs/Image, rgb8) or ``/camera/image_raw/compressed`` (sensor_msgs/CompressedImage, JPEG),
``/camera/labels`` (Image, mono8 trainIds, if wanted) and ``/camera/condition`` (std_msgs/String, just before
the image). With JPEG images the file's chunks are compressed too (Zstandard, as ``ros2 bag record`` can): the
labels, which lose nothing, would otherwise be most of it.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin

from distill.common.parallel import run_jobs
from distill.scenes.drive import Drive
from kd_seg_ros.bags.channels import Channels
from kd_seg_ros.bags.messages import (
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
from kd_seg_ros.bags.writing import BagWriter
from kd_seg_ros.common.encodings import MONO8, RGB8
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.files import reason
from kd_seg_ros.common.topics import COMPRESSED, CONDITION, LABELS

FRAME_ID = "camera"
IMAGE_TOPIC = "/camera/image_raw"
COMPRESSED_TOPIC = f"{IMAGE_TOPIC}{COMPRESSED}"
LABELS_TOPIC = f"/camera/{LABELS}"
CONDITION_TOPIC = f"/camera/{CONDITION}"


def write_bag(path: str | Path, drive: Drive, *, compressed: bool, labels: bool, workers: int = 1) -> None:
    """Render a drive into a new bag: the folder ``path``.

    :raises UserError: if the path is a file or a folder that is not empty, or cannot be written.
    """
    folder = Path(path)
    _claim(folder)
    try:
        writer = BagWriter(folder, version=METADATA_VERSION, storage_plugin=StoragePlugin.MCAP)
        if compressed:
            writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        with writer as bag:
            bag.set_custom_data("source", "kd_seg_ros procedural scenes")
            write = Channels(bag)
            frames = run_jobs(partial(_render, drive), range(drive.frames), workers, "drive")
            for index, (rgb, truth) in enumerate(frames):
                stamp = drive.stamp(index)
                head = header(stamp, FRAME_ID)
                if labels:
                    write(LABELS_TOPIC, IMAGE, stamp, image_cdr(head, truth, MONO8))
                write(CONDITION_TOPIC, STRING, stamp, string_cdr(drive.condition(index)))
                if compressed:
                    data = compressed_cdr(head, "jpeg", jpeg(rgb))
                    write(COMPRESSED_TOPIC, COMPRESSED_IMAGE, stamp, data)
                else:
                    write(IMAGE_TOPIC, IMAGE, stamp, image_cdr(head, rgb, RGB8))
    except OSError as error:
        raise UserError(f"--drive {folder} cannot be written: {reason(error)}") from error


def _render(drive: Drive, index: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    frame = drive.render(index)
    return frame.rgb, frame.labels


def _claim(folder: Path) -> None:
    """Refuse a path where something lies already; the bag's writer makes the folder itself."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--drive {folder} is a file: a rosbag2 is a folder, give the name of a new one")
    try:
        if folder.exists():
            if any(folder.iterdir()):
                raise UserError(
                    f"--drive {folder} is there already: give the name of a new folder or remove it"
                )
            folder.rmdir()
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--drive {folder} cannot be written: {reason(error)}") from error
