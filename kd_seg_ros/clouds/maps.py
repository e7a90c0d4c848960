"""Masks and confidences of ROS messages as NumPy arrays. No ROS in here."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.common.encodings import FLOAT32, MONO8, shown


class MapError(ValueError):
    """A mask or confidence that is none; the message says why."""


def mask_of(message: Any) -> NDArray[np.uint8]:
    """Return a mask's trainIds, uint8 [H, W]: a view of the message's data.

    :raises MapError: for another encoding than mono8, or too few bytes.
    """
    if message.encoding not in (MONO8, "8UC1"):
        raise MapError(f"the mask is {shown(str(message.encoding))}, not mono8")
    return _pixels(message, np.dtype(np.uint8))


def confidence_of(message: Any) -> NDArray[np.uint8]:
    """Return a confidence as round(255 · p), uint8 [H, W]; p as 32FC1 is brought to that form.

    :raises MapError: for an encoding that is neither mono8 nor 32FC1, or too few bytes.
    """
    if message.encoding == FLOAT32:
        kind = np.dtype(">f4" if message.is_bigendian else "<f4")
        probability = _pixels(message, kind)
        known = np.nan_to_num(probability.astype(np.float32), nan=0.0)
        return np.rint(np.clip(known, 0, 1) * 255).astype(np.uint8)
    if message.encoding not in (MONO8, "8UC1"):
        raise MapError(f"the confidence is {shown(str(message.encoding))}, not mono8 or 32FC1")
    return _pixels(message, np.dtype(np.uint8))


def _pixels(message: Any, kind: np.dtype[Any]) -> NDArray[Any]:
    """View the data of an image of one channel as [H, W]."""
    height, width, step = int(message.height), int(message.width), int(message.step)
    row = width * kind.itemsize
    if height < 1 or width < 1 or step < row or len(message.data) < step * (height - 1) + row:
        raise MapError(
            f"a map of {width}×{height} with step {step} does not fit into {len(message.data)} bytes"
        )
    return np.ndarray((height, width), kind, buffer=message.data, strides=(step, kind.itemsize))
