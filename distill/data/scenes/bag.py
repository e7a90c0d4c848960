"""Write a drive into a rosbag2 (version 9, MCAP) that ``ros2 bag play`` and ``play_bag`` replay.

Topics, all with the frame's stamp as log time and frame_id ``camera``: ``/camera/image_raw``
(sensor_msgs/Image, rgb8) or ``/camera/image_raw/compressed`` (sensor_msgs/CompressedImage, JPEG),
``/camera/labels`` (Image, mono8 trainIds, if wanted) and ``/camera/condition`` (std_msgs/String, just before
the image).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from distill.data.scenes.drive import Drive
from distill.data.scenes.parallel import run_jobs
from kd_seg_ros.errors import UserError

FRAME_ID = "camera"
IMAGE_TOPIC = "/camera/image_raw"
COMPRESSED_TOPIC = "/camera/image_raw/compressed"
LABELS_TOPIC = "/camera/labels"
CONDITION_TOPIC = "/camera/condition"
JPEG_QUALITY = 92
_FOR_EVER = QosTime(9223372036, 854775807)
RELIABLE = Qos(
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
"""Offered when the bag is replayed."""


def write_bag(path: str | Path, drive: Drive, *, compressed: bool, labels: bool, workers: int = 1) -> None:
    """Render a drive into a new bag: the folder ``path``.

    :raises UserError: if the path is a file or a folder that is not empty, or cannot be written.
    """
    folder = Path(path)
    store = get_typestore(Stores.ROS2_JAZZY)
    kinds: dict[str, Any] = store.types
    image_kind = "sensor_msgs/msg/CompressedImage" if compressed else "sensor_msgs/msg/Image"
    topics = {
        CONDITION_TOPIC: "std_msgs/msg/String",
        COMPRESSED_TOPIC if compressed else IMAGE_TOPIC: image_kind,
    }
    if labels:
        topics = {LABELS_TOPIC: "sensor_msgs/msg/Image", **topics}

    def header(stamp: int) -> Any:
        time = kinds["builtin_interfaces/msg/Time"](sec=stamp // 10**9, nanosec=stamp % 10**9)
        return kinds["std_msgs/msg/Header"](stamp=time, frame_id=FRAME_ID)

    def image(stamp: int, picture: npt.NDArray[np.uint8], encoding: str) -> Any:
        height, width = picture.shape[:2]
        return kinds["sensor_msgs/msg/Image"](
            header(stamp),
            height,
            width,
            encoding,
            0,
            picture[0].size,
            np.ascontiguousarray(picture).reshape(-1),
        )

    _claim(folder)
    try:
        with Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP) as bag:
            bag.set_custom_data("source", "kd_seg_ros procedural scenes")
            add = partial(bag.add_connection, typestore=store, offered_qos_profiles=[RELIABLE])
            channels = {topic: add(topic, kind) for topic, kind in topics.items()}
            frames = run_jobs(partial(_render, drive), range(drive.frames), workers, "drive")
            for index, (rgb, truth) in enumerate(frames):
                stamp = drive.stamp(index)
                messages = {CONDITION_TOPIC: kinds["std_msgs/msg/String"](drive.condition(index))}
                if labels:
                    messages = {LABELS_TOPIC: image(stamp, truth, "mono8"), **messages}
                if compressed:
                    messages[COMPRESSED_TOPIC] = kinds[image_kind](header(stamp), "jpeg", jpeg(rgb))
                else:
                    messages[IMAGE_TOPIC] = image(stamp, rgb, "rgb8")
                for topic, message in messages.items():
                    bag.write(channels[topic], stamp, store.serialize_cdr(message, topics[topic]))
    except OSError as error:
        raise UserError(f"--bag {folder} cannot be written: {error.strerror}") from error


def _render(drive: Drive, index: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    frame = drive.render(index)
    return frame.rgb, frame.labels


def jpeg(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The picture as a JPEG file's bytes."""
    _, data = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return data.reshape(-1).astype(np.uint8, copy=False)


def _claim(folder: Path) -> None:
    """Refuse to write over anything; the writer makes the folder itself."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--bag {folder} is a file: a rosbag2 is a folder, give the name of a new one")
    try:
        if folder.exists():
            if any(folder.iterdir()):
                raise UserError(
                    f"--bag {folder} is there already: give the name of a new folder or remove it"
                )
            folder.rmdir()
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--bag {folder} cannot be written: {error.strerror}") from error
