"""Names of ``sensor_msgs/Image`` encodings, and how the bytes of each become colours.

The names are those of ``sensor_msgs/image_encodings.hpp``, and the spellings of the YUV formats that camera
drivers use beside them: V4L2's and GStreamer's four letters in upper or lower case.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import cv2

from kd_seg_ros.common.suggest import did_you_mean, nearest

RGB8: Final = "rgb8"
BGR8: Final = "bgr8"
MONO8: Final = "mono8"
FLOAT32: Final = "32FC1"
"""One float32 per pixel; published on request, and refused as a camera's image."""


class Encoding(NamedTuple):
    """How images of one packed encoding become colours: all bytes of a pixel lie together."""

    pixel_bytes: int
    """Bytes of a pixel."""
    conversion: int | None
    """OpenCV's conversion to RGB; None where the bytes are three colours already."""
    bgr: bool = False
    """Without a conversion: the colours are blue, green, red."""
    bayer: bool = False
    """A raw mosaic of one colour per pixel; at least 3×3 pixels."""
    even_width: bool = False
    """Two pixels in a row share their colour."""


ENCODINGS: Final[dict[str, Encoding]] = {
    RGB8: Encoding(3, None),
    BGR8: Encoding(3, None, bgr=True),
    "rgba8": Encoding(4, cv2.COLOR_RGBA2RGB),
    "bgra8": Encoding(4, cv2.COLOR_BGRA2RGB),
    MONO8: Encoding(1, cv2.COLOR_GRAY2RGB),
    # These name no colours; what sends them is nearly always OpenCV, hence BGR.
    "8UC3": Encoding(3, None, bgr=True),
    "8UC4": Encoding(4, cv2.COLOR_BGRA2RGB),
    "8UC1": Encoding(1, cv2.COLOR_GRAY2RGB),
    # ROS names the upper left 2×2 pixels; OpenCV the four that start one row and one column further.
    "bayer_rggb8": Encoding(1, cv2.COLOR_BayerBG2RGB, bayer=True),
    "bayer_bggr8": Encoding(1, cv2.COLOR_BayerRG2RGB, bayer=True),
    "bayer_gbrg8": Encoding(1, cv2.COLOR_BayerGR2RGB, bayer=True),
    "bayer_grbg8": Encoding(1, cv2.COLOR_BayerGB2RGB, bayer=True),
    "uyvy": Encoding(2, cv2.COLOR_YUV2RGB_UYVY, even_width=True),
    "yuv422": Encoding(2, cv2.COLOR_YUV2RGB_UYVY, even_width=True),  # the older name
    "yuyv": Encoding(2, cv2.COLOR_YUV2RGB_YUY2, even_width=True),
    "yuv422_yuy2": Encoding(2, cv2.COLOR_YUV2RGB_YUY2, even_width=True),  # the older name
    "yvyu": Encoding(2, cv2.COLOR_YUV2RGB_YVYU, even_width=True),
}
"""All packed encodings of 8 bits per channel, by name."""

PLANAR: Final = ("nv12", "nv21", "nv16", "nv61", "nv24", "nv42", "i420", "yv12")
"""Encodings whose brightness lies in a plane of its own, see :mod:`kd_seg_ros.common.yuv_planes`."""

DEEP: Final[dict[str, str]] = {
    "mono16": MONO8,
    "rgb16": RGB8,
    "bgr16": BGR8,
    "rgba16": "rgba8",
    "bgra16": "bgra8",
    "16UC1": "8UC1",
    "16UC3": "8UC3",
    "16UC4": "8UC4",
    **{f"bayer_{order}16": f"bayer_{order}8" for order in ("rggb", "bggr", "gbrg", "grbg")},
}
"""Encodings of 16 bits per channel, with the encoding of 8 bits that has the same channels."""

# Drivers that take the name from V4L2, GStreamer or their own SDK. Upper and lower case count as the same,
# since YUV formats are written in both; ROS's own names have one spelling.
_YUV_NAMES: Final[dict[str, str]] = {
    "yuv420": "i420",
    "yuv420p": "i420",
    "iyuv": "i420",
    "yu12": "i420",
    "yvu420": "yv12",
    "yuv420sp": "nv12",
    "yuy2": "yuyv",
    "yuyv422": "yuyv",
    "yuv422_yuyv": "yuyv",
    "uyvy422": "uyvy",
    "yuv422_uyvy": "uyvy",
}
"""Spellings of YUV encodings in lower case, with the names of :data:`ENCODINGS` and :data:`PLANAR`."""

_NO_IMAGE: Final = re.compile(r"(8|16|32|64)[USF]C?\d*")
"""Names of OpenCV's types; those that are not listed above are depths, disparities and the like."""

_VENDOR_NAMES: Final[dict[str, str]] = {
    "rgb": RGB8,
    "rgb24": RGB8,
    "rgb3": RGB8,
    "rgb888": RGB8,
    "rgb8packed": RGB8,
    "bgr": BGR8,
    "bgr24": BGR8,
    "bgr3": BGR8,
    "bgr888": BGR8,
    "bgr8packed": BGR8,
    "rgba": "rgba8",
    "bgra": "bgra8",
    "grey": MONO8,
    "gray": MONO8,
    "gray8": MONO8,
    "y8": MONO8,
    "y800": MONO8,
    "l8": MONO8,
    "mono": MONO8,
    "y10": "mono16",
    "y12": "mono16",
    "y16": "mono16",
    "gray16": "mono16",
    "mono10": "mono16",
    "mono12": "mono16",
    "mono14": "mono16",
    "yuv422packed": "uyvy",
    "yuv4228": "yuyv",
    "yuv4228uyvy": "uyvy",
    "ycbcr4228": "yuyv",
}
"""What SDKs call encodings, in lower case without signs, with ROS's names."""

_LONGEST_NAME: Final = 50
"""Characters of a name that are shown; nothing that an encoding is called has as many."""

_VENDOR_BAYER: Final = re.compile(r"(?:bayer|s)?(rggb|bggr|gbrg|grbg|rg|bg|gb|gr)(8|10|12|14|16)?")
"""Bayer patterns as GenICam (``BayerRG8``) and V4L2 (``SRGGB12``) name them."""

_ORDERS: Final = {"rg": "rggb", "bg": "bggr", "gb": "gbrg", "gr": "grbg"}


def known_name(encoding: str) -> str:
    """Return the name under which an encoding is listed here; the same text where it is not."""
    if encoding in ENCODINGS or encoding in DEEP:
        return encoding
    lower = encoding.lower()
    lower = _YUV_NAMES.get(lower, lower)
    is_yuv = lower in PLANAR or (lower in ENCODINGS and lower.startswith(("yuv", "uyvy", "yuyv", "yvyu")))
    return lower if is_yuv else encoding


def is_no_camera_image(encoding: str) -> bool:
    """Return whether the name is one of OpenCV's types that no camera's image has, such as ``32FC1``."""
    return _NO_IMAGE.fullmatch(encoding) is not None


def shown(text: str) -> str:
    """Return a name from a message for an error message: quoted, in one line, cut if it is long."""
    return repr(text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}…")


def likely_meant(encoding: str) -> str:
    """Return the end of an error message about an unknown encoding, such as "; did you mean 'rgb8'?"."""
    if len(encoding) > _LONGEST_NAME:
        return ""
    letters = re.sub(r"[^a-z0-9]", "", encoding.lower())
    vendor = _VENDOR_NAMES.get(letters) or _bayer_meant(letters)
    if vendor:
        return f"; did you mean {vendor!r}?"
    known = (*ENCODINGS, *DEEP, *PLANAR)
    return did_you_mean(encoding, nearest(encoding, known, alike=0.75))


def _bayer_meant(letters: str) -> str:
    """Return ROS's name of a Bayer encoding that is written otherwise; empty if it is none."""
    found = _VENDOR_BAYER.fullmatch(letters)
    if found is None or not (letters.startswith(("bayer", "s")) or found[2]):
        return ""
    order = _ORDERS.get(found[1], found[1])
    return f"bayer_{order}{'8' if found[2] in (None, '8') else '16'}"
