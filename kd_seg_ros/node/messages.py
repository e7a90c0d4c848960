"""NumPy arrays and ``sensor_msgs`` images that share their memory or are copied once.

The bytes lie in an ``array.array('B')``: rclpy takes that as it is, while any other sequence is
checked element by element (0.2–0.4 s for a 1080p colour image).
"""

from __future__ import annotations

import sys
from array import array
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from kd_seg_ros.common.encodings import BGR8, FLOAT32, MONO8

_ENCODINGS: Final = {("uint8", 1): MONO8, ("uint8", 3): BGR8, ("float32", 1): FLOAT32}
"""Encoding by the type of the pixels' values and their number per pixel."""
_PNG_EFFORT: Final = 1
"""PNG's compression level, 0…9. Class maps are mostly runs of one value: more takes time and saves little."""


def image_message(header: Header, pixels: NDArray[np.uint8] | NDArray[np.float32]) -> Image:
    """Build an image message with the given header, unchanged, and a copy of the pixels.

    :param pixels: uint8 [H, W] → ``mono8``, uint8 [H, W, 3] in BGR → ``bgr8``, float32 [H, W] → ``32FC1``.
    """
    message, view = mapped_image(pixels.shape, pixels.dtype)
    message.header = header
    view[...] = pixels
    return message


def mapped_image(shape: tuple[int, ...], dtype: Any) -> tuple[Image, NDArray[Any]]:
    """Build an image message and the array whose memory its data are: what is written there is published.

    :param shape: [H, W] or [H, W, 3].
    :param dtype: uint8 or float32; for the encoding see :func:`image_message`.
    """
    height, width = shape[:2]
    channels = shape[2] if len(shape) == 3 else 1
    dtype = np.dtype(dtype)
    message = Image(
        height=height,
        width=width,
        encoding=_ENCODINGS[dtype.name, channels],
        is_bigendian=int(sys.byteorder == "big"),
        step=width * channels * dtype.itemsize,
        data=array("B", bytes(height * width * channels * dtype.itemsize)),
    )
    # The memory of message.data, not of the array it was made from: Kilted's messages copy what they get.
    return message, np.frombuffer(message.data, dtype).reshape(shape)


def png_message(header: Header, mask: NDArray[np.uint8]) -> CompressedImage:
    """Compress a class map [H, W] without loss, in the form of image_transport's ``compressed``."""
    packed = cv2.imencode(".png", mask, [cv2.IMWRITE_PNG_COMPRESSION, _PNG_EFFORT])[1]
    return CompressedImage(
        header=header, format=f"{MONO8}; png compressed ", data=array("B", packed.tobytes())
    )
