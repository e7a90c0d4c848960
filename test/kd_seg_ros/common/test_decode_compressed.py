from __future__ import annotations

import array
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from kd_seg_ros.common.decode import decode_compressed, view_compressed
from kd_seg_ros.common.picture import DecodeError, DecodeOptions

RGB = np.random.default_rng(1).integers(0, 256, (6, 8, 3), dtype=np.uint8)
ALPHA = np.full((6, 8, 1), 7, np.uint8)


def compressed(image: NDArray[Any], extension: str, fmt: str) -> SimpleNamespace:
    ok, data = cv2.imencode(extension, image)
    assert ok
    return SimpleNamespace(format=fmt, data=array.array("B", data.tobytes()))


@pytest.mark.parametrize("fmt", ["png", "rgb8; png compressed bgr8", "bgr8; png compressed bgr8", ""])
def test_png_is_exact(fmt: str) -> None:
    np.testing.assert_array_equal(decode_compressed(compressed(RGB[..., ::-1], ".png", fmt)), RGB)


def test_red_and_blue_swapped_by_the_sender() -> None:
    np.testing.assert_array_equal(
        decode_compressed(compressed(RGB, ".png", "rgb8; png compressed rgb8")), RGB
    )


def test_png_with_alpha_and_in_grey() -> None:
    bgra = np.concatenate([RGB[..., ::-1], ALPHA], axis=2)
    np.testing.assert_array_equal(decode_compressed(compressed(bgra, ".png", "png")), RGB)
    grey = compressed(RGB[..., 1], ".png", "mono8; png compressed ")
    np.testing.assert_array_equal(decode_compressed(grey), np.stack([RGB[..., 1]] * 3, axis=2))


def test_jpeg_agrees_with_another_decoder() -> None:
    smooth = cv2.resize(RGB, (64, 48), interpolation=cv2.INTER_CUBIC)
    msg = compressed(smooth[..., ::-1], ".jpg", "rgb8; jpeg compressed bgr8")
    reference = np.asarray(Image.open(io.BytesIO(bytes(msg.data))).convert("RGB")).astype(int)
    result = decode_compressed(msg)
    assert result.shape == (48, 64, 3)
    assert np.abs(result - reference).mean() < 2
    assert np.abs(result[..., ::-1] - reference).mean() > 10  # so a swap would be noticed


def test_compressed_mosaic() -> None:
    red, green, blue = 200, 100, 50
    mosaic = np.tile(np.array([[green, red], [blue, green]], np.uint8), (4, 4))
    result = decode_compressed(compressed(mosaic, ".png", "bayer_grbg8; png compressed "))
    assert (result == (red, green, blue)).all()
    assert result.shape == (8, 8, 3)


@pytest.mark.parametrize("extension", [".jpg", ".png"])
@pytest.mark.parametrize("fmt", ["bayer_rggb8; jpeg compressed mono8", "bayer_grbg8; png compressed mono8"])
def test_a_mosaic_that_was_made_grey_before_compression_stays_grey(extension: str, fmt: str) -> None:
    grey = cv2.resize(RGB[..., 0], (64, 48), interpolation=cv2.INTER_CUBIC)
    result = decode_compressed(compressed(grey, extension, fmt))
    np.testing.assert_array_equal(
        result, decode_compressed(compressed(grey, extension, "mono8; x compressed "))
    )
    assert (np.ptp(result, axis=2) == 0).all()
    assert np.abs(result[..., 0].astype(int) - grey).mean() < 2


def test_16_bit_png_is_refused_unless_a_value_is_called_white() -> None:
    deep = compressed(RGB[..., ::-1].astype(np.uint16) * 16, ".png", "rgb16; png compressed bgr16")
    with pytest.raises(DecodeError, match=r"more than 8 bits.*set white_level"):
        decode_compressed(deep)
    np.testing.assert_array_equal(decode_compressed(deep, DecodeOptions(white_level=4080)), RGB)
    mosaic = np.tile(np.array([[100, 200], [50, 100]], np.uint16) * 16, (4, 4))
    msg = compressed(mosaic, ".png", "bayer_grbg16; png compressed ")
    assert (decode_compressed(msg, DecodeOptions(white_level=4080)) == (200, 100, 50)).all()


@pytest.mark.parametrize("extension", [".jpg", ".png"])
@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_images_are_turned_clockwise(extension: str, degrees: int) -> None:
    msg = compressed(RGB, extension, "x")
    turned = decode_compressed(msg, DecodeOptions(rotate=degrees))
    np.testing.assert_array_equal(turned, np.rot90(decode_compressed(msg), -degrees // 90))


@pytest.mark.parametrize("extension", [".jpg", ".png"])
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.9, 0.999])
def test_truncated(extension: str, kept: float) -> None:
    image = np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    msg = compressed(image, extension, "x")
    msg.data = msg.data[: int(kept * len(msg.data))]
    with pytest.raises(DecodeError, match="cut short"):
        decode_compressed(msg)


@pytest.mark.parametrize("degrees", [0, 90])
def test_a_damaged_jpeg_is_used_where_that_is_asked_for_and_says_so(degrees: int) -> None:
    pytest.importorskip("simplejpeg")
    image = np.tile(np.arange(64, dtype=np.uint8)[:, None, None] * 3, (1, 48, 3))
    msg = compressed(image, ".jpg", "bgr8; jpeg compressed bgr8")
    whole = view_compressed(msg, DecodeOptions(rotate=degrees, use_damaged=True))
    assert whole.damage == ""
    msg.data = msg.data[: int(0.7 * len(msg.data))]
    with pytest.raises(DecodeError, match="cut short") as refused:
        view_compressed(msg, DecodeOptions(rotate=degrees))
    found = view_compressed(msg, DecodeOptions(rotate=degrees, use_damaged=True))
    assert found.damage == str(refused.value)
    upright = np.rot90(found.pixels, degrees // 90)
    np.testing.assert_array_equal(upright[:8], np.rot90(whole.pixels, degrees // 90)[:8])
    assert not np.array_equal(found.pixels, whole.pixels)
    msg.data = msg.data[:20]  # no picture can be made of half a header
    with pytest.raises(DecodeError):
        view_compressed(msg, DecodeOptions(use_damaged=True))


def test_a_compressed_depth_is_no_image() -> None:
    msg = compressed(RGB[..., 0], ".png", "16UC1; compressedDepth png")
    with pytest.raises(DecodeError, match="holds depths"):
        decode_compressed(msg)


def test_zeros_after_the_end_of_a_jpeg_do_no_harm() -> None:
    msg = compressed(RGB, ".jpg", "jpeg")
    reference = decode_compressed(msg)
    msg.data.extend([0] * 100)
    np.testing.assert_array_equal(decode_compressed(msg), reference)


@pytest.mark.parametrize(
    "data", [b"", b"no image", b"BM" + bytes(100), b"RIFF0000WEBP", b"\xff\xd8\xff\xda\xff\xd9", b"\xff\xd8"]
)
def test_neither_jpeg_nor_png(data: bytes) -> None:
    with pytest.raises(DecodeError, match=r"neither JPEG nor PNG|damaged|cannot be decoded"):
        decode_compressed(SimpleNamespace(format="jpeg", data=array.array("B", data)))


@settings(max_examples=100, deadline=None)
@given(
    extension=st.sampled_from([".jpg", ".png"]),
    position=st.floats(0, 0.999),
    garbage=st.binary(min_size=1, max_size=8),
    fmt=st.sampled_from(["jpeg", "png", "bayer_rggb8; jpeg compressed ", "16UC1; compressedDepth", ""]),
)
def test_damaged_content_gives_rgb_or_a_decode_error(
    extension: str, position: float, garbage: bytes, fmt: str
) -> None:
    msg = compressed(RGB, extension, fmt)
    at = int(position * len(msg.data))
    msg.data[at : at + len(garbage)] = array.array("B", garbage)
    try:
        result = decode_compressed(msg)
    except DecodeError as error:
        reason = str(error)
        assert "\n" not in reason
    else:
        assert result.ndim == 3
        assert result.shape[2] == 3
        assert result.dtype == np.uint8


def test_real_frame() -> None:
    folder = Path(__file__).parents[4] / "shared" / "data" / "acdc_mini"
    frames = sorted(folder.rglob("*_rgb_anon.png"))
    if not frames:
        pytest.skip("no real frames here")
    rgb = np.asarray(Image.open(frames[0]).convert("RGB"))
    assert rgb.shape == (1080, 1920, 3)
    png = SimpleNamespace(format="png", data=array.array("B", frames[0].read_bytes()))
    np.testing.assert_array_equal(decode_compressed(png), rgb)
