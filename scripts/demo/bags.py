"""Reading and writing rosbag2 files message by message."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rosbags.rosbag2 import CompressionFormat, CompressionMode, Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from kd_seg_ros.errors import UserError, first_line
from kd_seg_ros.play_bag import messages

IMAGE: Final = "sensor_msgs/msg/Image"
STORE: Final = get_typestore(Stores.ROS2_KILTED)
"""Message types; those used here are the same in every distribution."""

_IMAGE_SUFFIXES: Final = (".png", ".jpg", ".jpeg")
_IMAGE_PERIOD_NS: Final = 100_000_000


def parsed_messages(reader: Reader, topics: Collection[str]) -> Iterator[tuple[str, int, Any]]:
    """Yield topic, log time (ns) and message in the order of time.

    :raises UserError: if the bag turns out to be damaged.
    """
    connections = [c for c in reader.connections if c.topic in topics]
    for connection, log_time, raw in messages(reader, connections):
        try:
            yield connection.topic, log_time, STORE.deserialize_cdr(raw, connection.msgtype)
        except Exception as error:  # what a damaged message raises depends on where the damage is
            raise UserError(
                f"{reader.path}: a message of {connection.topic} cannot be read: {first_line(error)}"
            ) from error


def stamp_of(message: Any) -> int:
    """Return the header stamp in ns."""
    return int(message.header.stamp.sec) * 10**9 + int(message.header.stamp.nanosec)


def byte_map(message: Any) -> NDArray[np.uint8]:
    """View a ``mono8`` image as uint8 [H, W].

    :raises ValueError: if it is of another encoding or too short.
    """
    if message.encoding not in ("mono8", "8UC1"):
        raise ValueError(f"encoding {message.encoding!r} instead of 'mono8'")
    shape = (message.height, message.width)
    return np.ndarray(shape, np.uint8, buffer=message.data, strides=(message.step, 1))


def open_writer(path: Path, compress: bool = False) -> Writer:
    """Prepare a new rosbag2 in MCAP, to be entered as a context.

    :param compress: by zstd, chunk by chunk; every reader of MCAP knows that.
    """
    writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
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
    if not folder.is_dir():
        raise UserError(f"--images {folder}: {'not a folder' if folder.exists() else 'no such folder'}")
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in _IMAGE_SUFFIXES)
    if not files:
        raise UserError(f"--images {folder}: no {', '.join(_IMAGE_SUFFIXES)} files in it")
    start = time.time_ns() // 10**9 * 10**9
    with open_writer(path) as writer:
        connection = writer.add_connection("/camera/image_raw", IMAGE, typestore=STORE)
        for number, file in enumerate(islice(files, limit)):
            picture = cv2.imread(str(file), cv2.IMREAD_COLOR)
            if picture is None:
                raise UserError(f"{file}: not a readable image")
            stamp = start + number * _IMAGE_PERIOD_NS
            message = _image_message(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), stamp)
            writer.write(connection, stamp, bytes(STORE.serialize_cdr(message, IMAGE)))


def _image_message(image: NDArray[Any], stamp: int) -> Any:
    """Build an rgb8 message; ``image`` is uint8 [H, W, 3], ``stamp`` in ns."""
    types = STORE.types
    seconds, nanoseconds = divmod(stamp, 10**9)
    time_stamp = types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=nanoseconds)
    return types[IMAGE](
        header=types["std_msgs/msg/Header"](stamp=time_stamp, frame_id="camera"),
        height=image.shape[0],
        width=image.shape[1],
        encoding="rgb8",
        is_bigendian=0,
        step=3 * image.shape[1],
        data=image.ravel(),
    )
