"""Messages of a rosbag2 as Python values, and back."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.typesys import Stores, get_typestore

from kd_seg_ros.bags.bag_reader import BagReader
from kd_seg_ros.bags.reading import messages
from kd_seg_ros.common.encodings import MONO8
from kd_seg_ros.common.errors import UserError, first_line

IMAGE: Final = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE: Final = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO: Final = "sensor_msgs/msg/CameraInfo"
STRING: Final = "std_msgs/msg/String"
STORE: Final = get_typestore(Stores.ROS2_KILTED)
"""Definitions of the message types; those used here are the same in every distribution."""

METADATA_VERSION: Final = 8
"""Version of metadata.yaml. Every distribution from Humble on reads 8; Humble cannot read 9."""

_JPEG_QUALITY: Final = 95
_FOR_EVER: Final = QosTime(9223372036, 854775807)
RELIABLE: Final = Qos(
    QosHistory.KEEP_LAST,
    5,
    QosReliability.RELIABLE,
    QosDurability.VOLATILE,
    _FOR_EVER,
    _FOR_EVER,
    QosLiveliness.AUTOMATIC,
    _FOR_EVER,
    False,
)
"""Quality of service that bags written here offer when they are replayed."""


def parsed_messages(
    reader: BagReader, topics: Collection[str], start: int | None = None, stop: int | None = None
) -> Iterator[tuple[str, int, Any]]:
    """Yield topic, log time (ns) and message in the order of time.

    :param start: leave out messages before this log time.
    :param stop: leave out messages from this log time on.
    :raises UserError: if the bag turns out to be damaged.
    """
    connections = [c for c in reader.connections if c.topic in topics]
    if not connections:  # no filter at all to rosbags
        return
    for connection, log_time, raw in messages(reader, connections, start, stop):
        try:
            yield connection.topic, log_time, STORE.deserialize_cdr(raw, connection.msgtype)
        except Exception as error:  # what a damaged message raises depends on where the damage is
            raise UserError(
                f"{reader.path}: a message of {connection.topic} cannot be read: {first_line(error)}"
            ) from error


def stamp_of(message: Any) -> int:
    """Return the header stamp in ns."""
    return int(message.header.stamp.sec) * 10**9 + int(message.header.stamp.nanosec)


def stamp_text(stamp: int) -> str:
    """Write a stamp (ns) in seconds, all nine digits of it."""
    return f"{stamp // 10**9}.{stamp % 10**9:09d}"


def byte_map(message: Any) -> NDArray[np.uint8]:
    """View a ``mono8`` image as uint8 [H, W].

    :raises ValueError: if it is of another encoding or too short.
    """
    if message.encoding not in (MONO8, "8UC1"):
        raise ValueError(f"encoding {message.encoding!r} instead of 'mono8'")
    shape = (message.height, message.width)
    return np.ndarray(shape, np.uint8, buffer=message.data, strides=(message.step, 1))


def header(stamp: int, frame_id: str) -> Any:
    """Build a header; ``stamp`` in ns."""
    seconds, nanoseconds = divmod(stamp, 10**9)
    time = STORE.types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=nanoseconds)
    return STORE.types["std_msgs/msg/Header"](stamp=time, frame_id=frame_id)


def image_cdr(head: Any, pixels: NDArray[np.uint8], encoding: str) -> memoryview:
    """Serialise an image, uint8 [H, W] or [H, W, 3], under a header."""
    message = STORE.types[IMAGE](
        header=head,
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=0,
        step=pixels[0].size,
        data=np.ascontiguousarray(pixels).reshape(-1),
    )
    return STORE.serialize_cdr(message, IMAGE)


def compressed_cdr(head: Any, kind: str, data: NDArray[np.uint8]) -> bytes:
    """Serialise a compressed image: the bytes of a file, of ``kind`` jpeg or png."""
    message = STORE.types[COMPRESSED_IMAGE](header=head, format=kind, data=data)
    return bytes(STORE.serialize_cdr(message, COMPRESSED_IMAGE))


def jpeg(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Compress a picture, uint8 [H, W, 3]; return the bytes of a file."""
    _, data = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return data.reshape(-1).astype(np.uint8, copy=False)


def png(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Compress a picture, uint8 [H, W, 3], without loss; return the bytes of a file."""
    _, data = cv2.imencode(".png", rgb[..., ::-1])
    return data.reshape(-1).astype(np.uint8, copy=False)


def string_cdr(text: str) -> bytes:
    """Serialise a text as ``std_msgs/String``; bytes of a file's name that are no UTF-8 become U+FFFD."""
    valid = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return bytes(STORE.serialize_cdr(STORE.types[STRING](data=valid), STRING))
