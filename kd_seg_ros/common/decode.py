"""Camera messages to colour arrays, uint8 [H, W, 3]. No ROS in here: messages are read by attribute.

The network takes RGB and BGR alike, so whatever a message holds as one of the two is only viewed. Every
``step`` is honoured by NumPy views, and OpenCV converts the colours, so the common encodings need no
cv_bridge (the one of Humble and Jazzy breaks under NumPy 2). It is imported only for an encoding that is
not in the table below, and only if it is there.

Whatever is wrong with a message ends in a :class:`DecodeError`: the caller drops the frame.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.common.errors import first_line

RGBImage = NDArray[np.uint8]


class DecodeError(ValueError):
    """A message that is no usable 8-bit image; one line that says why."""


class Picture(NamedTuple):
    """A colour image as it came."""

    pixels: NDArray[np.uint8]
    """[H, W, 3], perhaps with gaps between the rows."""
    bgr: bool
    """The channels are blue, green, red; else red, green, blue."""

    def rgb(self) -> RGBImage:
        """Return the pixels as RGB."""
        return _convert(self.pixels, cv2.COLOR_BGR2RGB) if self.bgr else self.pixels


_BAYER: Final[dict[str, int]] = {
    # ROS names the upper left 2×2 pixels; OpenCV the four that start one row and one column further.
    "bayer_rggb8": cv2.COLOR_BayerBG2RGB,
    "bayer_bggr8": cv2.COLOR_BayerRG2RGB,
    "bayer_gbrg8": cv2.COLOR_BayerGR2RGB,
    "bayer_grbg8": cv2.COLOR_BayerGB2RGB,
}

_YUV422: Final[dict[str, int]] = {
    "uyvy": cv2.COLOR_YUV2RGB_UYVY,
    "yuv422": cv2.COLOR_YUV2RGB_UYVY,  # the older name
    "yuyv": cv2.COLOR_YUV2RGB_YUY2,
    "yuv422_yuy2": cv2.COLOR_YUV2RGB_YUY2,  # the older name
}

# Encoding → bytes per pixel and OpenCV's conversion. 8UC3 and 8UC4 name no colours; what sends them is
# nearly always OpenCV, hence BGR.
_ENCODINGS: Final[dict[str, tuple[int, int | None]]] = {
    "rgb8": (3, None),
    "bgr8": (3, None),
    "8UC3": (3, None),
    "rgba8": (4, cv2.COLOR_RGBA2RGB),
    "bgra8": (4, cv2.COLOR_BGRA2RGB),
    "8UC4": (4, cv2.COLOR_BGRA2RGB),
    "mono8": (1, cv2.COLOR_GRAY2RGB),
    "8UC1": (1, cv2.COLOR_GRAY2RGB),
    **{name: (1, code) for name, code in _BAYER.items()},
    **{name: (2, code) for name, code in _YUV422.items()},
}

_BGR: Final = ("bgr8", "8UC3")

# More than 8 bits a channel (mono16, bayer_rggb16, 16UC1, 32FC3 …): an unknown range, never guessed at.
_DEEP: Final = re.compile(r"(mono|rgba?|bgra?|bayer_[rgb]{4})16|(16|32|64)[USF]C?\d*")


def decode_image(msg: Any) -> RGBImage:
    """Decode a ``sensor_msgs/Image`` to RGB, see :func:`view_image`."""
    return view_image(msg).rgb()


def decode_compressed(msg: Any) -> RGBImage:
    """Decode a ``sensor_msgs/CompressedImage`` to RGB, see :func:`view_compressed`."""
    return view_compressed(msg).rgb()


def view_image(msg: Any) -> Picture:
    """Decode a ``sensor_msgs/Image``.

    ``rgb8`` and ``bgr8`` come back as a view of the message's data (no copy, rows ``step`` apart), anything
    else as a new array. The last row may end with its last pixel instead of after ``step`` bytes.

    :raises DecodeError: for a zero size, a wrong ``step``, short data, more than 8 bits a channel or an
        encoding that cannot be converted.
    """
    height, width, encoding = int(msg.height), int(msg.width), str(msg.encoding)
    if height == 0 or width == 0:
        raise DecodeError(f"the image is empty: {width}×{height}")
    if _DEEP.fullmatch(encoding):
        raise DecodeError(f"encoding {encoding!r} has more than 8 bits a channel; convert it to 8 bits first")
    if encoding not in _ENCODINGS:
        return Picture(_decode_by_cv_bridge(msg, encoding), False)
    channels, code = _ENCODINGS[encoding]
    if encoding in _YUV422 and width % 2:
        raise DecodeError(f"encoding {encoding!r} needs an even width, not {width}")
    pixels = _pixels(msg, height, width, channels)
    if code is None:
        return Picture(pixels, encoding in _BGR)
    return Picture(_demosaic(pixels, code) if encoding in _BAYER else _convert(pixels, code), False)


def view_compressed(msg: Any) -> Picture:
    """Decode a ``sensor_msgs/CompressedImage`` that holds a JPEG or an 8-bit PNG.

    The content decides between the two. ``format`` (``"jpeg"``, or ``"rgb8; jpeg compressed bgr8"`` as
    image_transport writes it) matters in two cases: ``compressed rgb…`` marks a file whose red and blue
    were swapped before compression, and a Bayer encoding in front marks a grey file as a raw mosaic.

    :raises DecodeError: for anything else, truncated or damaged.
    """
    source, _, compressed = str(msg.format).partition(";")
    data = bytes(msg.data)
    if data.startswith(b"\xff\xd8"):
        # Inside a scan neither marker can occur, so the last image is whole if its end follows its start.
        whole = data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda")
    elif data.startswith(b"\x89PNG\r\n\x1a\n"):
        whole = b"IEND" in data[-64:]
    else:
        raise DecodeError(f"the compressed image (format {msg.format!r}) is neither JPEG nor PNG")
    if not whole:
        raise DecodeError(f"the compressed image is cut short after {len(data)} bytes")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise DecodeError(f"the compressed image cannot be decoded: {error.err}") from error
    if image is None:
        raise DecodeError("the compressed image is damaged")
    if image.dtype != np.uint8:
        raise DecodeError("the compressed image has more than 8 bits a channel; convert it to 8 bits first")
    if image.ndim == 2:
        colour = _demosaic(image, _BAYER[source]) if source in _BAYER else _convert(image, cv2.COLOR_GRAY2RGB)
        return Picture(colour, False)
    if image.shape[2] == 4:
        return Picture(_convert(image, cv2.COLOR_BGRA2RGB), False)
    return Picture(np.asarray(image, np.uint8), bgr="compressed rgb" not in compressed)


def _pixels(msg: Any, height: int, width: int, channels: int) -> NDArray[np.uint8]:
    """View the message's data as [H, W, channels], or [H, W] for one channel."""
    row, step = width * channels, int(msg.step)
    if step < row:
        raise DecodeError(f"step {step} is too small: {width} pixels of {msg.encoding!r} take {row} bytes")
    needed = step * (height - 1) + row
    if len(msg.data) < needed:
        raise DecodeError(
            f"the data is too short: {width}×{height} {msg.encoding!r} with step {step} "
            f"takes {needed} bytes, not {len(msg.data)}"
        )
    pixels = np.ndarray((height, width, channels), np.uint8, buffer=msg.data, strides=(step, channels, 1))
    return pixels[..., 0] if channels == 1 else pixels


def _demosaic(raw: NDArray[Any], code: int) -> RGBImage:
    if min(raw.shape) < 3:
        raise DecodeError(f"a Bayer image must be at least 3×3 pixels, not {raw.shape[1]}×{raw.shape[0]}")
    return _convert(raw, code)


def _convert(image: NDArray[Any], code: int) -> RGBImage:
    return np.asarray(cv2.cvtColor(image, code), np.uint8)


def _decode_by_cv_bridge(msg: Any, encoding: str) -> RGBImage:
    try:
        from cv_bridge import CvBridge
    except Exception as error:  # under NumPy 2 an old cv_bridge fails with other errors than ImportError
        raise DecodeError(
            f"encoding {encoding!r} is unknown here and cv_bridge, which might convert it, cannot be imported"
        ) from error
    try:
        image = CvBridge().imgmsg_to_cv2(msg, "rgb8")
    except Exception as error:  # CvBridgeError, but also TypeError for short data
        raise DecodeError(
            f"encoding {encoding!r} is unknown here and cv_bridge cannot convert it: {first_line(error)}"
        ) from error
    if image.dtype != np.uint8 or image.shape != (msg.height, msg.width, 3):
        raise DecodeError(f"cv_bridge turned {encoding!r} into {image.dtype} {list(image.shape)}")
    return np.asarray(image)
