"""Camera messages to colour arrays, uint8 [H, W, 3]. No ROS in here: messages are read by attribute.

The network takes RGB and BGR alike, so whatever a message holds as one of the two is only viewed. Every
``step`` is honoured by NumPy views, and OpenCV converts the colours, so the common encodings need no
cv_bridge (the one of Humble and Jazzy breaks under NumPy 2). It is imported only for an encoding that is
not listed in :mod:`kd_seg_ros.common.encodings`, and only if it is there.

Sizes are read from the message or from the file's header and compared with
:attr:`DecodeOptions.max_megapixels` before memory is taken. Whatever is wrong with a message ends in a
:class:`DecodeError`: the caller drops the frame.
"""

from __future__ import annotations

import sys
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.common import jpeg, png
from kd_seg_ros.common.encodings import (
    DEEP,
    ENCODINGS,
    PLANAR,
    Encoding,
    is_no_camera_image,
    known_name,
    likely_meant,
    shown,
)
from kd_seg_ros.common.errors import first_line
from kd_seg_ros.common.picture import (
    DECODE_DEFAULTS,
    DamagedImageError,
    DecodeError,
    DecodeOptions,
    Picture,
    RGBImage,
    check_size,
    check_white_level,
    convert,
    demosaic,
    scaled_to_8_bits,
)
from kd_seg_ros.common.yuv_planes import planar_to_rgb

_OTHER_FORMATS: Final = {
    b"RIFF": "a WebP or AVI",
    b"II*\0": "a TIFF",
    b"MM\0*": "a TIFF",
    b"GIF8": "a GIF",
    b"BM": "a BMP",
    b"\0\0\0\1": "H.264 or H.265 video",
    b"\0\0\1": "H.264 or H.265 video",
    b"\0\0\0\x0cjP  ": "a JPEG 2000",
}
"""First bytes of what senders put into compressed messages by mistake."""


def decode_image(msg: Any, options: DecodeOptions = DECODE_DEFAULTS) -> RGBImage:
    """Decode a ``sensor_msgs/Image`` to RGB, see :func:`view_image`."""
    return view_image(msg, options).rgb()


def decode_compressed(msg: Any, options: DecodeOptions = DECODE_DEFAULTS) -> RGBImage:
    """Decode a ``sensor_msgs/CompressedImage`` to RGB, see :func:`view_compressed`."""
    return view_compressed(msg, options).rgb()


def view_image(msg: Any, options: DecodeOptions = DECODE_DEFAULTS) -> Picture:
    """Decode a ``sensor_msgs/Image``.

    ``rgb8`` and ``bgr8`` come back as a view of the message's data (no copy, rows ``step`` apart), anything
    else as a new array. The last row may end with its last pixel instead of after ``step`` bytes.

    :raises DecodeError: for a zero size or one above the limit, a wrong ``step``, short data, 16 bits per
        channel without a white level, or an encoding that cannot be converted.
    """
    height, width, encoding = int(msg.height), int(msg.width), str(msg.encoding)
    check_size(height, width, options)
    return _view(msg, encoding, height, width, options).turned(options.rotate)


def _view(msg: Any, encoding: str, height: int, width: int, options: DecodeOptions) -> Picture:
    """Decode a message of a possible size, not turned yet."""
    name = known_name(encoding)
    if name in PLANAR:
        return Picture(planar_to_rgb(msg, name, height, width), bgr=False)
    if name in DEEP:
        check_white_level(options.white_level, f"encoding {shown(encoding)}")
        row = ENCODINGS[DEEP[name]]
        deep = _pixels(msg, height, width, 2 * row.pixel_bytes)
        return _to_colours(_scaled(msg, deep, height, width, options), row)
    if name not in ENCODINGS:
        if is_no_camera_image(encoding):
            raise DecodeError(f"encoding {shown(encoding)} is no camera's image of 8 or 16 bits per channel")
        return Picture(_decode_by_cv_bridge(msg, encoding), bgr=False)
    row = ENCODINGS[name]
    if row.even_width and width % 2:
        raise DecodeError(f"encoding {shown(encoding)} needs an even width, not {width}")
    return _to_colours(_pixels(msg, height, width, row.pixel_bytes), row)


def view_compressed(msg: Any, options: DecodeOptions = DECODE_DEFAULTS) -> Picture:
    """Decode a ``sensor_msgs/CompressedImage`` that holds a JPEG or a PNG.

    The content decides between the two. ``format`` (``"jpeg"``, or ``"rgb8; jpeg compressed bgr8"`` as
    image_transport writes it) matters in two cases: ``compressed rgb…`` marks a file whose red and blue
    were swapped before compression, and a Bayer encoding in front marks a grey file as a raw mosaic unless
    ``compressed mono…`` says that it was made grey. The pixels come as they are: Exif's orientation is for
    files, see :mod:`kd_seg_ros.common.exif`.

    :raises DecodeError: for anything else, truncated or damaged, or above the limit. With
        ``options.use_damaged`` a JPEG that is damaged after its header is decoded as far as possible.
    """
    source, _, compressed = str(msg.format).partition(";")
    if "compressedDepth" in compressed:
        raise DecodeError(f"the compressed image (format {shown(msg.format)}) holds depths, not colours")
    pixels, damage = _decode_file(bytes(msg.data), str(msg.format), options)
    row = ENCODINGS.get(DEEP.get(source, source))
    if pixels.ndim == 2:
        mosaic = row is not None and row.bayer and "compressed mono" not in compressed
        picture = _to_colours(pixels, row if row is not None and mosaic else ENCODINGS["mono8"])
    elif pixels.shape[2] == 4:
        picture = _to_colours(pixels, ENCODINGS["bgra8"])
    else:
        picture = Picture(pixels, bgr="compressed rgb" not in compressed)
    return picture._replace(damage=damage).turned(options.rotate)


def _decode_file(data: bytes, name: str, options: DecodeOptions) -> tuple[NDArray[np.uint8], str]:
    """Decode a JPEG or PNG to uint8 [H, W], [H, W, 3] or [H, W, 4], in OpenCV's order of colours.

    The text returned says what is damaged; it is empty for a whole image.

    :param name: the message's ``format``, for error messages.
    """
    if data.startswith(jpeg.SIGNATURE):
        try:
            return jpeg.decode_jpeg(data, options), ""
        except DamagedImageError as error:
            if not options.use_damaged:
                raise
            return jpeg.decode_jpeg(data, options, strict=False), str(error)
    if data.startswith(png.SIGNATURE):
        pixels = png.decode_png(data, options)
        if pixels.dtype == np.uint16:
            return scaled_to_8_bits(pixels, options.white_level, "the PNG"), ""
        return np.asarray(pixels, np.uint8), ""
    found = next((kind for start, kind in _OTHER_FORMATS.items() if data.startswith(start)), "")
    what = f", but looks like {found}" if found else ""
    raise DecodeError(f"the compressed image (format {shown(name)}) is neither JPEG nor PNG{what}")


def _pixels(msg: Any, height: int, width: int, channels: int) -> NDArray[np.uint8]:
    """View the message's data as [H, W, channels], or [H, W] for one channel."""
    row, step = width * channels, int(msg.step)
    if step < row:
        raise DecodeError(
            f"step {step} is too small: {width} pixels of {shown(msg.encoding)} take {row} bytes"
        )
    needed = step * (height - 1) + row
    if len(msg.data) < needed:
        raise DecodeError(
            f"the data is too short: {width}×{height} {shown(msg.encoding)} with step {step} "
            f"takes {needed} bytes, not {len(msg.data)}"
        )
    pixels = np.ndarray((height, width, channels), np.uint8, buffer=msg.data, strides=(step, channels, 1))
    return pixels[..., 0] if channels == 1 else pixels


def _scaled(
    msg: Any, deep: NDArray[np.uint8], height: int, width: int, options: DecodeOptions
) -> NDArray[np.uint8]:
    """Bring an image of 16 bits per channel, seen as bytes [H, W, 2·C], to uint8 [H, W] or [H, W, C]."""
    name = f"encoding {shown(msg.encoding)}"
    values = np.ascontiguousarray(deep).view(">u2" if msg.is_bigendian else "<u2")
    if bool(msg.is_bigendian) != (sys.byteorder == "big"):
        values = values.astype(np.uint16)
    values = values.reshape(height, width) if values.shape[2] == 1 else values
    return scaled_to_8_bits(values, options.white_level, name)


def _to_colours(pixels: NDArray[np.uint8], row: Encoding) -> Picture:
    """Turn the pixels of a packed encoding, [H, W] or [H, W, C], into three colours."""
    if row.conversion is None:
        return Picture(pixels, row.bgr)
    return Picture((demosaic if row.bayer else convert)(pixels, row.conversion), bgr=False)


def _decode_by_cv_bridge(msg: Any, encoding: str) -> RGBImage:
    meant = likely_meant(encoding)
    try:
        from cv_bridge import CvBridge
    except Exception as error:  # under NumPy 2 an old cv_bridge fails with other errors than ImportError
        raise DecodeError(
            f"encoding {shown(encoding)} is unknown here and cv_bridge, which might convert it, cannot be "
            f"imported{meant}"
        ) from error
    try:
        image = CvBridge().imgmsg_to_cv2(msg, "rgb8")
    except Exception as error:  # CvBridgeError, but also TypeError for short data
        raise DecodeError(
            f"encoding {shown(encoding)} is unknown here and cv_bridge cannot convert it: {first_line(error)}"
            f"{meant}"
        ) from error
    if image.dtype != np.uint8 or image.shape != (msg.height, msg.width, 3):
        raise DecodeError(f"cv_bridge turned {shown(encoding)} into {image.dtype} {list(image.shape)}")
    return np.asarray(image)
