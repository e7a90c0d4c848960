"""The bags that the demo writes: what it replays, and what it records."""

from __future__ import annotations

import shutil
import time
from itertools import islice
from pathlib import Path
from typing import Final

from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from kd_seg_ros.bags.making import RecordingSettings, make_bag
from kd_seg_ros.bags.messages import METADATA_VERSION
from kd_seg_ros.bags.pictures import image_files
from kd_seg_ros.common.errors import UserError

_IMAGE_HERTZ: Final = 10.0


def open_writer(path: Path, compress: bool = False) -> Writer:
    """Prepare a new rosbag2 in MCAP, to be entered as a context.

    :param compress: by zstd, chunk by chunk; every reader of MCAP knows that.
    """
    writer = Writer(path, version=METADATA_VERSION, storage_plugin=StoragePlugin.MCAP)
    if compress:
        writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    return writer


def remove_bag(folder: Path, source: Path | None) -> None:
    """Remove a bag that an earlier run has written, to make room for the next.

    :param source: the bag that is to be replayed.
    :raises UserError: if the folder is, or holds, anything else.
    """
    if not folder.exists():
        return
    if source is not None and source.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"--bag {source} would be overwritten: choose another --out")
    own = {"metadata.yaml", "metadata.yaml.tmp", f"{folder.name}.mcap"}
    if not folder.is_dir() or not {file.name for file in folder.iterdir()} <= own:
        raise UserError(f"{folder} is in the way and no earlier recording: choose another --out")
    shutil.rmtree(folder)


def write_image_bag(folder: Path, path: Path, limit: int | None = None) -> None:
    """Write a bag of the images in a folder, in the order of their names, 10 a second.

    :raises UserError: if there are none or one cannot be read.
    """
    try:
        pictures = image_files(folder, _IMAGE_HERTZ, consecutive=True)
    except UserError as error:
        raise UserError(f"--images {error}") from error
    make_bag(islice(pictures, limit), path, RecordingSettings(start=time.time_ns() // 10**9 * 10**9))
