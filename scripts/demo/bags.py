"""The bags that the demo writes: what it replays, and what it records."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Final

from rosbags.interfaces import ConnectionExtRosbag2
from rosbags.rosbag2 import StoragePlugin

from distill.drives.drive import Drive
from kd_seg_ros.bags.headers import read_header
from kd_seg_ros.bags.making import RecordingSettings, make_bag
from kd_seg_ros.bags.messages import METADATA_VERSION, STORE
from kd_seg_ros.bags.pictures import VideoFrames, image_files
from kd_seg_ros.bags.reading import messages, open_bag
from kd_seg_ros.bags.writing import BagWriter
from kd_seg_ros.common.errors import UserError

_IMAGE_HERTZ: Final = 10.0


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
    make_bag(islice(pictures, limit), path, RecordingSettings(start=_now()))


def write_video_bag(file: Path, path: Path, limit: int | None = None) -> None:
    """Write a bag of the frames of a video, as JPEG: as raw images a minute of 1080×1920 would be 11 GB.

    :raises UserError: if it is no video or none of its frames can be read.
    """
    if not file.is_file():
        there = "a folder: give --images" if file.is_dir() else "no such file"
        raise UserError(f"--video {file}: {there}")
    try:
        frames = VideoFrames(file, None, otherwise=_IMAGE_HERTZ)
        make_bag(islice(frames, limit), path, RecordingSettings(compressed=True, start=_now()))
    except UserError as error:
        raise UserError(f"--video {error}") from error


def _now() -> int:
    """Return the time in ns since 1970, in whole seconds."""
    return time.time_ns() // 10**9 * 10**9


def excerpt(drive: Drive, limit: int, path: Path) -> Drive:
    """Write the first ``limit`` frames of a drive, with their labels, into a new bag; return that drive."""
    kept = dict(islice(drive.frames.items(), limit))
    writer = BagWriter(path, version=METADATA_VERSION, storage_plugin=StoragePlugin.MCAP)
    with open_bag(drive.bag) as reader, writer:
        sources = [c for c in reader.connections if c.topic in (drive.topic, drive.labels_topic)]
        copies = {}
        for source in sources:
            assert isinstance(source.ext, ConnectionExtRosbag2)
            copies[source.id] = writer.add_connection(
                source.topic,
                source.msgtype,
                typestore=STORE,
                offered_qos_profiles=source.ext.offered_qos_profiles,
            )
        for source, time_ns, raw in messages(reader, sources):
            if read_header(raw).stamp in kept:
                writer.write(copies[source.id], time_ns, raw)
    return replace(drive, bag=path, frames=kept)
