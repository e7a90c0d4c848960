"""Masks and confidences of messages, in both encodings of the node."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kd_seg_ros.clouds.maps import MapError, confidence_of, mask_of


def map_message(values: Any, encoding: str, pad: int = 0, order: str = "<") -> Any:
    pixels = np.asarray(values, f"{order}f4" if encoding == "32FC1" else np.uint8)
    rows = pixels.view(np.uint8).reshape(len(pixels), -1)
    data = np.pad(rows, ((0, 0), (0, pad)), constant_values=9)
    return SimpleNamespace(
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        step=data.shape[1],
        is_bigendian=order == ">",
        data=data.tobytes(),
    )


@pytest.mark.parametrize("pad", [0, 5])
def test_maps_of_bytes_are_read_as_they_are(pad: int) -> None:
    values = [[0, 18, 255], [7, 8, 9]]
    for encoding in ("mono8", "8UC1"):
        np.testing.assert_array_equal(mask_of(map_message(values, encoding, pad)), values)
        np.testing.assert_array_equal(confidence_of(map_message(values, encoding, pad)), values)


@pytest.mark.parametrize("order", "<>")
def test_a_probability_becomes_a_byte(order: str) -> None:
    given = map_message([[0.0, 0.5, 1.0, np.nan, 7.0, -1.0]], "32FC1", 4, order)
    np.testing.assert_array_equal(confidence_of(given), [[0, 128, 255, 0, 255, 0]])


def test_other_messages_are_refused() -> None:
    with pytest.raises(MapError, match="the mask is 'rgb8', not mono8"):
        mask_of(map_message([[1]], "rgb8"))
    with pytest.raises(MapError, match="the confidence is '16UC1'"):
        confidence_of(map_message([[1]], "16UC1"))
    short = map_message([[1, 2], [3, 4]], "mono8")
    short.height = 3
    with pytest.raises(MapError, match="does not fit into 4 bytes"):
        mask_of(short)
    for name in ("height", "width"):
        empty = map_message([[1]], "mono8")
        setattr(empty, name, 0)
        with pytest.raises(MapError, match="does not fit"):
            mask_of(empty)
