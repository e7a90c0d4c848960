"""Camera messages to colour arrays, uint8 [H, W, 3]. No ROS in here: messages are read by attribute.

The network takes RGB and BGR alike, so whatever a message holds as one of the two is only viewed. Every
``step`` is honoured by NumPy views, and OpenCV converts the colours, so the common encodings need no
cv_bridge (the one of Humble and Jazzy breaks under NumPy 2). It is imported only for an encoding that is
not in :data:`ENCODINGS`, and only if it is there.

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
"""Red, green, blue, uint8 [H, W, 3]."""


class DecodeError(ValueError):
    """A message that is no usable 8-bit image; one line that says why."""


class Picture(NamedTuple):
    """A camera's image of three colours, in the order in which they came."""

    pixels: NDArray[np.uint8]
    """[H, W, 3], perhaps with gaps between the rows."""
    bgr: bool
    """The channels are blue, green, red; else red, green, blue."""

    def rgb(self) -> RGBImage:
        """Return the pixels as RGB."""
        return _convert(self.pixels, cv2.COLOR_BGR2RGB) if self.bgr else self.pixels


class Encoding(NamedTuple):
    """How images of one encoding become colours."""

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


RGB8: Final = "rgb8"
BGR8: Final = "bgr8"
MONO8: Final = "mono8"
FLOAT32: Final = "32FC1"
"""One float32 per pixel; published on request, and refused as a camera's image."""

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
}
"""All encodings of ``sensor_msgs/Image`` that are decoded here, by name."""

# More than 8 bits per channel (mono16, bayer_rggb16, 16UC1, 32FC3 …): an unknown range, never guessed at.
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

    :raises DecodeError: for a zero size, a wrong ``step``, short data, more than 8 bits per channel or an
        encoding that cannot be converted.
    """
    height, width, encoding = int(msg.height), int(msg.width), str(msg.encoding)
    if height == 0 or width == 0:
        raise DecodeError(f"the image is empty: {width}×{height}")
    if _DEEP.fullmatch(encoding):
        raise DecodeError(f"encoding {encoding!r} has more than 8 bits per channel: convert it to 8")
    row = ENCODINGS.get(encoding)
    if row is None:
        return Picture(_decode_by_cv_bridge(msg, encoding), bgr=False)
    if row.even_width and width % 2:
        raise DecodeError(f"encoding {encoding!r} needs an even width, not {width}")
    pixels = _pixels(msg, height, width, row.pixel_bytes)
    if row.conversion is None:
        return Picture(pixels, row.bgr)
    convert = _demosaic if row.bayer else _convert
    return Picture(convert(pixels, row.conversion), bgr=False)


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
        raise DecodeError("the compressed image has more than 8 bits per channel: convert it to 8")
    if image.ndim == 2:
        row = ENCODINGS.get(source)
        if row is not None and row.bayer and row.conversion is not None:
            return Picture(_demosaic(image, row.conversion), bgr=False)
        return Picture(_convert(image, cv2.COLOR_GRAY2RGB), bgr=False)
    if image.shape[2] == 4:
        return Picture(_convert(image, cv2.COLOR_BGRA2RGB), bgr=False)
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
    """Turn a Bayer mosaic [H, W] into RGB by OpenCV's conversion ``code``."""
    if min(raw.shape) < 3:
        raise DecodeError(f"a Bayer image must be at least 3×3 pixels, not {raw.shape[1]}×{raw.shape[0]}")
    return _convert(raw, code)


def _convert(image: NDArray[Any], code: int) -> RGBImage:
    """Convert colours by OpenCV's ``code``."""
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
