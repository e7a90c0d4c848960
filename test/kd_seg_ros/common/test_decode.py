from __future__ import annotations

import array
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kd_seg_ros.common import encodings
from kd_seg_ros.common.decode import decode_image, view_image
from kd_seg_ros.common.picture import TURNS, DecodeError, DecodeOptions

RGB = np.random.default_rng(1).integers(0, 256, (6, 8, 3), dtype=np.uint8)
ALPHA = np.full((6, 8, 1), 7, np.uint8)
COLOUR = (200, 100, 50)


def message(pixels: NDArray[np.uint8], encoding: str, padding: int = 0, **changes: Any) -> SimpleNamespace:
    """An Image message as rclpy delivers it, with ``padding`` bytes of 0xAA after each row."""
    rows = pixels.reshape(len(pixels), -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=0xAA)
    values = {
        "height": pixels.shape[0],
        "width": pixels.shape[1],
        "encoding": encoding,
        "is_bigendian": 0,
        "step": rows.shape[1],
        "data": array.array("B", rows.tobytes()),
    }
    return SimpleNamespace(**(values | changes))


def mosaic(pattern: str, height: int, width: int) -> NDArray[np.uint8]:
    """A Bayer image of one constant colour, from the definition of the pattern's name."""
    tile = np.array([COLOUR["rgb".index(letter)] for letter in pattern], np.uint8).reshape(2, 2)
    return np.tile(tile, (height, width))[:height, :width]


def packed_yuv(order: str, y: int, u: int, v: int, height: int = 4, width: int = 6) -> NDArray[np.uint8]:
    pair = [{"y": y, "u": u, "v": v}[letter] for letter in order]
    return np.tile(np.array(pair, np.uint8), (height, width // 2)).reshape(height, width, 2)


@pytest.mark.parametrize("padding", [0, 1, 13])
@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [
        ("rgb8", RGB),
        ("bgr8", RGB[..., ::-1]),
        ("8UC3", RGB[..., ::-1]),
        ("rgba8", np.concatenate([RGB, ALPHA], axis=2)),
        ("bgra8", np.concatenate([RGB[..., ::-1], ALPHA], axis=2)),
        ("8UC4", np.concatenate([RGB[..., ::-1], ALPHA], axis=2)),
    ],
)
def test_colour_encodings(encoding: str, pixels: NDArray[np.uint8], padding: int) -> None:
    result = decode_image(message(pixels, encoding, padding))
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, RGB)


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("encoding", ["mono8", "8UC1"])
def test_grey_becomes_three_equal_channels(encoding: str, padding: int) -> None:
    grey = RGB[..., 0]
    np.testing.assert_array_equal(
        decode_image(message(grey, encoding, padding)), np.stack([grey] * 3, axis=2)
    )


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
@pytest.mark.parametrize("size", [(6, 8), (3, 3), (5, 4)])
def test_bayer_patterns_by_their_definition(pattern: str, size: tuple[int, int], padding: int) -> None:
    result = decode_image(message(mosaic(pattern, *size), f"bayer_{pattern}8", padding))
    np.testing.assert_array_equal(result, np.broadcast_to(np.array(COLOUR, np.uint8), (*size, 3)))


@pytest.mark.parametrize("padding", [0, 2])
@pytest.mark.parametrize(
    ("encoding", "order"),
    [("yuv422", "uyvy"), ("uyvy", "uyvy"), ("yuv422_yuy2", "yuyv"), ("yuyv", "yuyv")],
)
@pytest.mark.parametrize(
    ("yuv", "rgb"),
    # ITU-R BT.601, 8 bit: black, white, and the primaries of 100 % colour bars.
    [
        ((16, 128, 128), (0, 0, 0)),
        ((235, 128, 128), (255, 255, 255)),
        ((81, 90, 240), (255, 0, 0)),
        ((145, 54, 34), (0, 255, 0)),
        ((41, 240, 110), (0, 0, 255)),
    ],
)
def test_yuv422_by_its_definition(
    encoding: str, order: str, yuv: tuple[int, int, int], rgb: tuple[int, int, int], padding: int
) -> None:
    result = decode_image(message(packed_yuv(order, *yuv), encoding, padding)).astype(int)
    assert result.shape == (4, 6, 3)
    assert np.abs(result - rgb).max() <= 2


def test_the_two_luma_samples_of_a_yuv422_pair_keep_their_order() -> None:
    dark_bright = np.array([[[128, 16], [128, 235]]], np.uint8)  # U Y0 V Y1
    result = decode_image(message(dark_bright, "uyvy"))
    np.testing.assert_array_equal(result, [[[0, 0, 0], [255, 255, 255]]])


@pytest.mark.parametrize(("encoding", "bgr"), [("rgb8", False), ("bgr8", True), ("8UC3", True)])
def test_three_bytes_a_pixel_are_only_viewed(encoding: str, bgr: bool) -> None:
    msg = message(RGB, encoding, padding=5)
    picture = view_image(msg)
    assert picture.bgr == bgr
    np.testing.assert_array_equal(picture.pixels, RGB)
    assert np.shares_memory(picture.pixels, np.frombuffer(msg.data, np.uint8))
    np.testing.assert_array_equal(picture.rgb(), RGB[..., ::-1] if bgr else RGB)


@pytest.mark.parametrize("container", [bytes, lambda data: np.frombuffer(data, np.uint8)])
def test_data_of_other_readers(container: Any) -> None:
    msg = message(RGB, "rgb8", padding=4)
    msg.data = container(bytes(msg.data))
    np.testing.assert_array_equal(decode_image(msg), RGB)


def test_last_row_may_end_with_its_last_pixel() -> None:
    msg = message(RGB, "rgb8", padding=10)
    msg.data = msg.data[:-10]
    np.testing.assert_array_equal(decode_image(msg), RGB)
    msg.data = msg.data[:-1]
    with pytest.raises(DecodeError, match="too short"):
        decode_image(msg)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"height": 0}, "empty"),
        ({"width": 0, "step": 0}, "empty"),
        ({"step": 23}, "step 23 is too small: 8 pixels of 'rgb8' take 24 bytes"),
        ({"step": 0}, "step 0 is too small"),
        ({"step": 25}, "takes 149 bytes, not 144"),
        ({"height": 7}, "takes 168 bytes, not 144"),
        ({"width": 2**32 - 1, "height": 2**32 - 1, "step": 2**32 - 1}, "above the limit of 25 megapixels"),
        ({"height": 2**32 - 1}, "8×4294967295 is above the limit"),
        ({"height": 3_125_000}, "too short"),
        ({"height": 3_125_001}, "above the limit"),
        ({"data": array.array("B")}, "not 0"),
        ({"encoding": "rgba8"}, "too small"),
    ],
)
def test_malformed(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(DecodeError, match=expected):
        decode_image(SimpleNamespace(**(vars(message(RGB, "rgb8")) | changes)))


@pytest.mark.parametrize(
    "encoding",
    ["mono16", "rgb16", "bgr16", "rgba16", "bgra16", "bayer_rggb16", "16UC1", "16UC3", "16UC4"],
)
def test_16_bits_are_refused_unless_a_value_is_called_white(encoding: str) -> None:
    with pytest.raises(DecodeError, match=f"{encoding}' has more than 8 bits.*set white_level"):
        decode_image(message(np.zeros((6, 64), np.uint8), encoding, width=2))


@pytest.mark.parametrize("encoding", ["16SC1", "32FC1", "32SC1", "64FC3", "8SC3", "8UC2"])
def test_types_that_no_camera_sends_are_refused(encoding: str) -> None:
    with pytest.raises(DecodeError, match="no camera's image"):
        decode_image(message(np.zeros((6, 64), np.uint8), encoding, width=2), DecodeOptions(white_level=4095))


@pytest.mark.parametrize("big_endian", [0, 1])
@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize(
    ("encoding", "channels"),
    [
        ("mono16", [0]),
        ("16UC1", [0]),
        ("rgb16", [0, 1, 2]),
        ("bgr16", [2, 1, 0]),
        ("16UC3", [2, 1, 0]),
        ("rgba16", [0, 1, 2, 0]),
        ("bgra16", [2, 1, 0, 0]),
        ("16UC4", [2, 1, 0, 0]),
    ],
)
def test_16_bits_by_the_white_level(
    encoding: str, channels: list[int], padding: int, big_endian: int
) -> None:
    deep = np.random.default_rng(3).integers(0, 5000, (6, 8, 3)).astype(np.uint16)
    expected = np.minimum(np.floor(deep * (255 / 4095) + 0.5), 255).astype(np.uint8)
    stored = np.ascontiguousarray(deep[..., channels], ">u2" if big_endian else "<u2")
    msg = message(stored.view(np.uint8).reshape(6, -1), encoding, padding, width=8, is_bigendian=big_endian)
    result = decode_image(msg, DecodeOptions(white_level=4095))
    np.testing.assert_array_equal(result, expected[..., [0, 0, 0]] if len(channels) == 1 else expected)


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_of_12_bits(pattern: str) -> None:
    deep = mosaic(pattern, 6, 8).astype("<u2") * 16  # 200, 100, 50 of 255 at a white level of 4080
    msg = message(deep.view(np.uint8).reshape(6, -1), f"bayer_{pattern}16", width=8)
    result = decode_image(msg, DecodeOptions(white_level=4080))
    np.testing.assert_array_equal(result, np.broadcast_to(np.array(COLOUR, np.uint8), (6, 8, 3)))


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("RGB8", "rgb8"),
        ("Rgb8", "rgb8"),
        ("rgb888", "rgb8"),
        ("BGR8Packed", "bgr8"),
        ("Mono8", "mono8"),
        ("GREY", "mono8"),
        ("Mono12", "mono16"),
        ("8uc3", "8UC3"),
        ("BayerRG8", "bayer_rggb8"),
        ("bayer_gb8", "bayer_gbrg8"),
        ("BayerGR12", "bayer_grbg16"),
        ("SBGGR10", "bayer_bggr16"),
        ("BAYER_RGGB8", "bayer_rggb8"),
        ("YUV422Packed", "uyvy"),
        ("YUV422_8", "yuyv"),
        ("bayer_rgbb8", "bayer_rggb8"),
    ],
)
def test_spellings_of_vendors_are_told_the_name_in_ros(given: str, meant: str) -> None:
    with pytest.raises(DecodeError, match=f"{given!r} is unknown here.*; did you mean {meant!r}\\?$"):
        decode_image(message(RGB, given))


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize(("encoding", "bgr"), [("rgb8", False), ("bgr8", True), ("mono8", False)])
def test_images_are_turned_clockwise(encoding: str, bgr: bool, degrees: int) -> None:
    pixels = RGB[..., 0] if encoding == "mono8" else RGB
    picture = view_image(message(pixels, encoding, padding=3), DecodeOptions(rotate=degrees))
    upright = np.rot90(pixels, -degrees // 90)
    assert picture.bgr == bgr
    np.testing.assert_array_equal(picture.pixels, np.dstack([upright] * 3) if pixels.ndim == 2 else upright)


def test_odd_width_of_yuv422_and_tiny_bayer() -> None:
    with pytest.raises(DecodeError, match="even width, not 3"):
        decode_image(message(np.zeros((4, 3, 2), np.uint8), "uyvy"))
    with pytest.raises(DecodeError, match="at least 3×3"):
        decode_image(message(np.zeros((2, 8), np.uint8), "bayer_rggb8"))


def test_unknown_encoding_without_cv_bridge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv_bridge", None)
    with pytest.raises(DecodeError, match=r"'yuv444' is unknown here and cv_bridge.*cannot be imported"):
        decode_image(message(RGB, "yuv444"))


class FakeBridge:
    """Stands in for cv_bridge where it is not installed."""

    answer: Any = RGB

    def imgmsg_to_cv2(self, msg: Any, desired_encoding: str) -> Any:
        assert desired_encoding == "rgb8"
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_what_is_left_goes_through_cv_bridge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv_bridge", SimpleNamespace(CvBridge=FakeBridge))
    np.testing.assert_array_equal(decode_image(message(RGB, "yuv444")), RGB)
    monkeypatch.setattr(FakeBridge, "answer", RGB[:3])
    with pytest.raises(DecodeError, match="turned 'yuv444' into"):
        decode_image(message(RGB, "yuv444"))
    monkeypatch.setattr(FakeBridge, "answer", TypeError("no\nway"))
    with pytest.raises(DecodeError, match=r"cannot convert it: no($|;)"):
        decode_image(message(RGB, "yuv444"))


@pytest.mark.parametrize("encoding", sorted(encodings.ENCODINGS))
def test_agrees_with_cv_bridge(encoding: str) -> None:
    cv_bridge = pytest.importorskip("cv_bridge", exc_type=ImportError)
    messages = pytest.importorskip("sensor_msgs.msg")
    if encoding.startswith("8U"):
        pytest.skip("cv_bridge gives these no colours")
    pixel_bytes = encodings.ENCODINGS[encoding].pixel_bytes
    plain = message(np.random.default_rng(2).integers(0, 256, (16, 32, pixel_bytes), np.uint8), encoding)
    msg = messages.Image(**vars(plain))
    reference = cv_bridge.CvBridge().imgmsg_to_cv2(msg, "rgb8")
    np.testing.assert_array_equal(decode_image(msg), reference)


@settings(max_examples=300, deadline=None)
@given(
    height=st.integers(0, 9) | st.integers(0, 2**32 - 1),
    width=st.integers(0, 9) | st.integers(0, 2**32 - 1),
    step=st.integers(0, 40) | st.integers(0, 2**32 - 1),
    encoding=st.sampled_from([*encodings.ENCODINGS, *encodings.PLANAR, *encodings.DEEP, "32FC1", ""])
    | st.text(max_size=9),
    rotate=st.sampled_from(TURNS),
    data=st.binary(max_size=400),
)
def test_any_message_gives_an_image_of_its_size_or_a_decode_error(
    height: int, width: int, step: int, encoding: str, rotate: int, data: bytes
) -> None:
    msg = SimpleNamespace(
        height=height, width=width, step=step, encoding=encoding, is_bigendian=0, data=array.array("B", data)
    )
    try:
        result = decode_image(msg, DecodeOptions(white_level=4095, rotate=rotate))
    except DecodeError as error:
        reason = str(error)
        assert "\n" not in reason
    else:
        assert result.shape == ((width, height, 3) if rotate in (90, 270) else (height, width, 3))
        assert result.dtype == np.uint8
