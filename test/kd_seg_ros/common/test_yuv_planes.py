"""Planar YUV against an own layout of the bytes and BT.601's formula, pixel by pixel."""

from __future__ import annotations

import array
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kd_seg_ros.common.decode import decode_image
from kd_seg_ros.common.picture import DecodeError

HEIGHT, WIDTH = 6, 8
RANDOM = np.random.default_rng(5)
LUMA = RANDOM.integers(16, 236, (HEIGHT, WIDTH))


def colours(across: int, down: int) -> tuple[NDArray[Any], NDArray[Any]]:
    shape = (HEIGHT // down, WIDTH // across)
    return RANDOM.integers(90, 166, shape), RANDOM.integers(90, 166, shape)


def expected(u: NDArray[Any], v: NDArray[Any], across: int, down: int) -> NDArray[Any]:
    """BT.601, limited range, each pixel with the colour of its block."""
    u = np.repeat(np.repeat(u, across, 1), down, 0) - 128.0
    v = np.repeat(np.repeat(v, across, 1), down, 0) - 128.0
    y = 255 / 219 * (LUMA - 16.0)
    red = y + 255 / 224 * 1.402 * v
    green = y - 255 / 224 * (1.772 * 0.114 / 0.587 * u + 1.402 * 0.299 / 0.587 * v)
    blue = y + 255 / 224 * 1.772 * u
    return np.clip(np.stack([red, green, blue], 2), 0, 255)


def padded(plane: NDArray[Any], step: int) -> bytes:
    rows = np.full((len(plane), step), 0xAA, np.uint8)
    rows[:, : plane.shape[1]] = plane
    return rows.tobytes()


def message(encoding: str, stride: int, data: bytes, **changes: Any) -> SimpleNamespace:
    values = {"height": HEIGHT, "width": WIDTH, "step": stride, "is_bigendian": 0, "encoding": encoding}
    return SimpleNamespace(**(values | {"data": array.array("B", data)} | changes))


def data_of(name: str, step: int) -> tuple[bytes, NDArray[Any]]:
    """The bytes of an image of one encoding, and its colours."""
    across = 1 if name in ("nv24", "nv42") else 2
    down = 2 if name in ("nv12", "nv21", "i420", "yv12") else 1
    u, v = colours(across, down)
    first, second = (v, u) if name in ("nv21", "nv61", "nv42", "yv12") else (u, v)
    if name in ("i420", "yv12"):
        rest = padded(first, step // 2) + padded(second, step // 2)
    else:
        pairs = np.stack([first, second], 2).reshape(len(first), -1)
        rest = padded(pairs, step * 2 // across)
    return padded(LUMA, step) + rest, expected(u, v, across, down)


SPELLINGS = {
    "nv12": ["nv12", "NV12", "yuv420sp"],
    "nv21": ["nv21", "NV21"],
    "nv16": ["nv16", "NV16"],
    "nv61": ["nv61"],
    "nv24": ["nv24", "NV24"],
    "nv42": ["nv42"],
    "i420": ["i420", "I420", "yuv420", "YUV420", "yuv420p", "YU12", "IYUV"],
    "yv12": ["yv12", "YV12", "YVU420"],
}


@pytest.mark.parametrize("padding", [0, 2, 12])
@pytest.mark.parametrize(
    ("name", "spelling"), [(name, spelling) for name, those in SPELLINGS.items() for spelling in those]
)
def test_planes_by_their_definition(name: str, spelling: str, padding: int) -> None:
    data, wanted = data_of(name, WIDTH + padding)
    result = decode_image(message(spelling, WIDTH + padding, data)).astype(float)
    assert result.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(result - wanted).max() <= 2.5


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_step_over_all_planes(name: str) -> None:
    data, wanted = data_of(name, WIDTH)
    result = decode_image(message(name, len(data) // HEIGHT, data)).astype(float)
    assert np.abs(result - wanted).max() <= 2.5


@pytest.mark.parametrize("padding", [0, 4])
@pytest.mark.parametrize("name", SPELLINGS)
def test_the_data_may_end_with_the_last_pixel_and_not_before(name: str, padding: int) -> None:
    data, wanted = data_of(name, WIDTH + padding)
    slack = {"nv24": 2 * padding, "nv42": 2 * padding, "i420": padding // 2, "yv12": padding // 2}
    end = len(data) - slack.get(name, padding)
    result = decode_image(message(name, WIDTH + padding, data[:end])).astype(float)
    assert np.abs(result - wanted).max() <= 2.5
    with pytest.raises(DecodeError, match=f"takes {end} bytes, not {end - 1}"):
        decode_image(message(name, WIDTH + padding, data[: end - 1]))


@pytest.mark.parametrize(
    ("encoding", "changes", "complaint"),
    [
        ("nv12", {"height": 5}, "an even width and height, not 8×5"),
        ("yuv420", {"width": 7}, "an even width and height, not 7×6"),
        ("nv16", {"width": 7}, "an even width, not 7×6"),
        ("nv12", {"step": 7}, "step 7 is too small"),
        ("nv12", {"step": 0}, "step 0 is too small"),
        ("i420", {"step": 9}, "step 9 of 'i420' is odd"),
        ("nv24", {"height": 0}, "empty"),
        ("nv21", {"width": 2**31, "height": 2**31, "step": 2**31}, "above the limit"),
    ],
)
def test_what_does_not_fit(encoding: str, changes: dict[str, int], complaint: str) -> None:
    with pytest.raises(DecodeError, match=complaint):
        decode_image(message(encoding, WIDTH, bytes(400), **changes))


def test_bars_of_known_colours() -> None:
    """100 % colour bars in nv24, where every pixel has its own colour."""
    bars = {(235, 128, 128): (255, 255, 255), (81, 90, 240): (255, 0, 0), (145, 54, 34): (0, 255, 0)}
    bars |= {(41, 240, 110): (0, 0, 255), (16, 128, 128): (0, 0, 0)}
    luma = np.array([[y for y, _, _ in bars]], np.uint8)
    pairs = np.array([[(u, v) for _, u, v in bars]], np.uint8)
    msg = message("nv24", 5, luma.tobytes() + pairs.tobytes(), height=1, width=5)
    result = decode_image(msg).astype(int)
    assert np.abs(result - np.array([list(bars.values())])).max() <= 2
