"""The orientation that a camera writes into its files: how they are to be turned to stand upright."""

from __future__ import annotations

from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.common import jpeg, png
from kd_seg_ros.common.picture import DecodeOptions, turn

_ORIENTATION: Final = 0x0112
_SHORT: Final = 3
"""TIFF's number for the type uint16."""

# Orientation → (degrees clockwise, mirrored left to right after that).
_UPRIGHT: Final = {
    1: (0, False),
    2: (0, True),
    3: (180, False),
    4: (180, True),
    5: (90, True),
    6: (90, False),
    7: (270, True),
    8: (270, False),
}


def orientation(data: bytes, options: DecodeOptions) -> int:
    """Return the orientation (1…8) that a JPEG or PNG file states; 1, as it is, where it states none.

    :raises kd_seg_ros.common.picture.DecodeError: if the file is damaged.
    """
    exif = b""
    if data.startswith(jpeg.SIGNATURE):
        exif = jpeg.read_header(data).exif
    elif data.startswith(png.SIGNATURE):
        exif = png.read_chunks(data, options).exif
    return _read_orientation(exif)


def upright(pixels: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    """Turn and mirror an image as its orientation says; the same array for orientation 1."""
    degrees, mirrored = _UPRIGHT[number]
    pixels = turn(pixels, degrees)
    return np.asarray(cv2.flip(pixels, 1)) if mirrored else pixels


def _read_orientation(tiff: bytes) -> int:
    """Find the orientation among the entries of a TIFF structure's first directory; 1 if it is not there."""
    order: Literal["little", "big"]
    if tiff.startswith(b"II*\0"):
        order = "little"
    elif tiff.startswith(b"MM\0*"):
        order = "big"
    else:
        return 1
    start = int.from_bytes(tiff[4:8], order)
    count = int.from_bytes(tiff[start : start + 2], order)
    # An entry: tag, type, count and value, of 2, 2, 4 and 4 bytes; a short value stands at its beginning.
    for at in range(start + 2, min(start + 2 + 12 * count, len(tiff) - 11), 12):
        tag = int.from_bytes(tiff[at : at + 2], order)
        kind = int.from_bytes(tiff[at + 2 : at + 4], order)
        if tag == _ORIENTATION and kind == _SHORT:
            value = int.from_bytes(tiff[at + 8 : at + 10], order)
            return value if value in _UPRIGHT else 1
    return 1
