"""Running segment_bag in this process, drives in every form a bag can have, and the known answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from demo_drive import PERIOD, START, STORE, frame, image_message, read_bag
from numpy.typing import NDArray
from rosbags.rosbag2 import CompressionFormat, CompressionMode, Reader, StoragePlugin, Writer
from tiny_model import expected

from distill.commands.segment_bag import main

HEIGHT, WIDTH = 48, 64
CAMERA, MASK, CONFIDENCE = "/camera/image_raw", "/segmentation/mask", "/segmentation/confidence"


def run(bag: Path, model: Path, out: Path, *options: object) -> int:
    arguments = [bag, "--model", model, "--provider", "cpu", "--out", out, *options]
    return main(list(map(str, arguments)))


def raw_messages(path: Path) -> list[tuple[str, int, bytes]]:
    with Reader(path) as reader:
        return [(c.topic, log_time, bytes(raw)) for c, log_time, raw in reader.messages()]


def pixels(message: Any) -> NDArray[np.uint8]:
    return np.asarray(message.data, np.uint8).reshape(message.height, message.width, -1).squeeze()


def check_maps(out: Path, images: list[NDArray[np.uint8]], prefix: str = "") -> None:
    """Compare masks and confidences, in their order, with the model's known answers."""
    found = read_bag(out)
    for topic, index in ((MASK, 0), (CONFIDENCE, 1)):
        maps = found[prefix + topic]
        assert len(maps) == len(images)
        for message, image in zip(maps, images, strict=True):
            np.testing.assert_array_equal(pixels(message), expected(image)[index])


def drive(path: Path, frames: int, kind: str) -> Path:
    """A drive in one of the forms a bag can have; log times are 7 ns after the stamps."""
    png = "compressed image" in kind
    topic, msgtype = (f"{CAMERA}/compressed", "CompressedImage") if png else (CAMERA, "Image")
    plugin = StoragePlugin.SQLITE3 if "sqlite3" in kind else StoragePlugin.MCAP
    with_writer = Writer(path, version=9 if "9" in kind else 8, storage_plugin=plugin)
    for mode in ("file", "message", "storage"):
        if f"{mode} zstd" in kind:
            with_writer.set_compression(CompressionMode[mode.upper()], CompressionFormat.ZSTD)
    with with_writer as writer:
        connection = writer.add_connection(topic, f"sensor_msgs/msg/{msgtype}", typestore=STORE)
        for number in range(frames):
            stamp = START + number * PERIOD
            message = image_message(frame(number)[0], stamp, f"camera {number}")
            if png:
                data = cv2.imencode(".png", frame(number)[0][..., ::-1])[1].reshape(-1)
                message = STORE.types["sensor_msgs/msg/CompressedImage"](message.header, "rgb8; png", data)
            raw = bytes(STORE.serialize_cdr(message, message.__msgtype__))
            writer.write(connection, stamp + 7, raw)
    return path
