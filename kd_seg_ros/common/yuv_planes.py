"""YUV images whose brightness (Y) lies in a plane of its own, before the colours (U, V), to RGB.

===========  ======================================  ==========================
encoding     colour plane(s) after the H rows of Y    bytes, without padding
===========  ======================================  ==========================
nv12, nv21   H/2 rows of U V (nv21: V U) pairs        W·H·3/2
nv16, nv61   H rows of W/2 pairs                      W·H·2
nv24, nv42   H rows of W pairs                        W·H·3
i420, yv12   H/2 rows of U, then of V (yv12: V, U)    W·H·3/2
===========  ======================================  ==========================

A message's ``step`` is the distance of two rows of Y in bytes. As V4L2 has it, rows of pairs lie as far apart
(twice as far in nv24 and nv42, whose rows are twice as long), and those of a plane of U or V alone half as
far. Some drivers give the bytes of a row of *all* planes instead, W·3/2 or W·3: the data's length tells the
two apart. The colours are those of ITU-R BT.601 with limited range (Y 16…235), as for the packed encodings.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.common.encodings import shown
from kd_seg_ros.common.picture import DecodeError, RGBImage, convert


class _Layout(NamedTuple):
    """Where the colours of an encoding lie."""

    across: int
    """Pixels in a row that share a colour."""
    down: int
    """Rows that share a colour."""
    pairs: bool
    """U and V lie in turns in one plane; else in two planes."""
    v_first: bool


_LAYOUTS: Final[dict[str, _Layout]] = {
    "nv12": _Layout(2, 2, pairs=True, v_first=False),
    "nv21": _Layout(2, 2, pairs=True, v_first=True),
    "nv16": _Layout(2, 1, pairs=True, v_first=False),
    "nv61": _Layout(2, 1, pairs=True, v_first=True),
    "nv24": _Layout(1, 1, pairs=True, v_first=False),
    "nv42": _Layout(1, 1, pairs=True, v_first=True),
    "i420": _Layout(2, 2, pairs=False, v_first=False),
    "yv12": _Layout(2, 2, pairs=False, v_first=True),
}

# BT.601: Y 16…235 and U, V 16…240 around 128, to 0…255. Rows R, G, B; columns Y, U, V and the constant.
_TO_RGB: Final = np.array(
    [
        [1.164384, 0.0, 1.596027, 0.0],
        [1.164384, -0.391762, -0.812968, 0.0],
        [1.164384, 2.017232, 0.0, 0.0],
    ]
)
_TO_RGB[:, 3] = -_TO_RGB[:, :3] @ [16, 128, 128]


def planar_to_rgb(msg: Any, name: str, height: int, width: int) -> RGBImage:
    """Convert a message's data.

    :param name: one of :data:`kd_seg_ros.common.encodings.PLANAR`.
    :raises DecodeError: if the size is odd where pixels share colours, or ``step`` or the data do not fit.
    """
    layout = _LAYOUTS[name]
    if width % layout.across or height % layout.down:
        wanted = "an even width and height" if layout.down == 2 else "an even width"
        raise DecodeError(f"encoding {shown(msg.encoding)} needs {wanted}, not {width}×{height}")
    step = _luma_step(msg, layout, height, width)
    luma = _plane(msg, 0, height, width, step)
    if layout.pairs:
        # A row of pairs has 2·W/across bytes: as many as one of Y, or twice as many.
        colour_width = 2 * width // layout.across
        colour_step = step * colour_width // width
        colours = _plane(msg, step * height, height // layout.down, colour_width, colour_step)
        return _from_pairs(luma, colours, layout)
    half = step // 2
    planes = np.concatenate(
        [
            luma.reshape(-1),
            _plane(msg, step * height, height // 2, width // 2, half).reshape(-1),
            _plane(msg, step * height + half * (height // 2), height // 2, width // 2, half).reshape(-1),
        ]
    )
    code = cv2.COLOR_YUV2RGB_YV12 if layout.v_first else cv2.COLOR_YUV2RGB_I420
    return convert(planes.reshape(height * 3 // 2, width), code)


def _from_pairs(luma: NDArray[np.uint8], colours: NDArray[np.uint8], layout: _Layout) -> RGBImage:
    """Convert a plane of Y, [H, W], and one of pairs, [H/down, 2·W/across]."""
    height, width = luma.shape
    if layout.down == 2:
        code = cv2.COLOR_YUV2RGB_NV21 if layout.v_first else cv2.COLOR_YUV2RGB_NV12
        pairs = np.ascontiguousarray(colours).reshape(height // 2, width // 2, 2)
        return np.asarray(cv2.cvtColorTwoPlane(np.ascontiguousarray(luma), pairs, code), np.uint8)
    if layout.across == 2:
        # One colour byte per pixel, U and V in turns: the packed order Y U Y V (or Y V Y U) of yuyv.
        code = cv2.COLOR_YUV2RGB_YVYU if layout.v_first else cv2.COLOR_YUV2RGB_YUY2
        return convert(cv2.merge([luma, colours]), code)
    pairs = np.ascontiguousarray(colours).reshape(height, width, 2)
    u, v = (1, 0) if layout.v_first else (0, 1)
    yuv = cv2.merge([luma, pairs[..., u], pairs[..., v]])
    return np.asarray(cv2.transform(yuv, _TO_RGB), np.uint8)


def _luma_step(msg: Any, layout: _Layout, height: int, width: int) -> int:
    """Return the distance of two rows of Y in bytes, once the data are known to hold all planes.

    :raises DecodeError: if they do not.
    """
    step, length = int(msg.step), len(msg.data)
    colour_bytes = 2 * width * height // (layout.across * layout.down)
    packed = width * height + colour_bytes
    if step != width and step * height == packed == length:
        return width  # the bytes of a row of all planes
    if step < width:
        raise DecodeError(f"step {step} is too small: a row of {shown(msg.encoding)} takes {width} bytes")
    if not layout.pairs and step % 2:
        raise DecodeError(f"step {step} of {shown(msg.encoding)} is odd: rows of U and V have half of it")
    # The last row of the last plane may end with its last pixel instead of after the padding.
    padding = step - width
    colour_padding = padding * 2 // layout.across if layout.pairs else padding // 2
    needed = step * height + step * 2 * height // (layout.across * layout.down) - colour_padding
    if length < needed:
        raise DecodeError(
            f"the data is too short: {width}×{height} {shown(msg.encoding)} with step {step} "
            f"takes {needed} bytes, not {length}"
        )
    return step


def _plane(msg: Any, start: int, rows: int, columns: int, step: int) -> NDArray[np.uint8]:
    """View a part of the message's data as uint8 [rows, columns]."""
    return np.ndarray((rows, columns), np.uint8, buffer=msg.data, offset=start, strides=(step, 1))
