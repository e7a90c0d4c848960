"""Which chunks reach the decoder, and that damage and claims are refused before."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from kd_seg_ros.common.picture import DecodeError, DecodeOptions
from kd_seg_ros.common.png import SIGNATURE, decode_png, read_chunks

DEFAULTS = DecodeOptions()
BGR = np.random.default_rng(2).integers(0, 256, (9, 13, 3), dtype=np.uint8)
PLAIN = cv2.imencode(".png", BGR)[1].tobytes()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def header(width: int, height: int) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def saved(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "png", **options)
    return buffer.getvalue()


def with_chunk(extra: bytes) -> bytes:
    at = PLAIN.index(b"IDAT") - 4
    return PLAIN[:at] + extra + PLAIN[at:]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.fromarray(BGR[..., 0]), BGR[..., 0]),
        (Image.fromarray(BGR[..., ::-1]), BGR),
        (Image.fromarray(BGR[..., 0] > 99), (BGR[..., 0] > 99) * np.uint8(255)),
        (Image.fromarray(BGR.astype(np.uint16)[..., 0] * 257), BGR.astype(np.uint16)[..., 0] * 257),
    ],
    ids=["grey", "colours", "1 bit", "16 bits"],
)
def test_kinds_of_pixels(image: Image.Image, expected: NDArray[Any]) -> None:
    pixels = decode_png(saved(image), DEFAULTS)
    assert pixels.dtype == expected.dtype
    np.testing.assert_array_equal(pixels, expected)


def test_palette_and_transparency() -> None:
    image = Image.fromarray(BGR[..., ::-1]).quantize(16)
    expected = np.asarray(image.convert("RGB"))[..., ::-1]
    np.testing.assert_array_equal(decode_png(saved(image), DEFAULTS), expected)
    clear = decode_png(saved(image, transparency=3), DEFAULTS)
    assert clear.shape == (9, 13, 4)
    np.testing.assert_array_equal(clear[..., 3] == 0, np.asarray(image) == 3)


def test_texts_profiles_and_the_like_never_reach_the_decoder() -> None:
    bomb = zlib.compress(bytes(50_000_000))
    extra = chunk(b"zTXt", b"a\0\0" + bomb) + chunk(b"iCCP", b"a\0\0" + bomb) + chunk(b"acTL", bytes(8))
    assert read_chunks(with_chunk(extra), DEFAULTS).picture == PLAIN
    np.testing.assert_array_equal(decode_png(with_chunk(extra), DEFAULTS), BGR)
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", "IEND" * 50)
    named = saved(Image.fromarray(BGR[..., ::-1]), pnginfo=texts)
    np.testing.assert_array_equal(decode_png(named, DEFAULTS), BGR)


@pytest.mark.parametrize("size", [(30000, 30000), (2**31 - 1, 1), (2**32 - 1, 2**32 - 1)])
def test_a_claimed_size_is_refused(size: tuple[int, int]) -> None:
    data = SIGNATURE + header(*size) + PLAIN[33:]
    with pytest.raises(DecodeError, match=f"{size[0]}×{size[1]} is above the limit of 25 megapixels"):
        decode_png(data, DEFAULTS)


def test_every_flipped_bit_is_noticed(capfd: pytest.CaptureFixture[str]) -> None:
    for at in range(8, len(PLAIN)):
        damaged = bytearray(PLAIN)
        damaged[at] ^= 1 << at % 8
        with pytest.raises(DecodeError, match=r"damaged|cut short|above the limit|empty"):
            decode_png(bytes(damaged), DEFAULTS)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (SIGNATURE, "cut short"),
        (PLAIN[:-12], "cut short"),
        (PLAIN[: len(PLAIN) // 2], "cut short"),
        (SIGNATURE + PLAIN[33:], "does not begin with its size"),
        (SIGNATURE + header(0, 9) + PLAIN[33:], "empty"),
        (SIGNATURE + header(13, 9) + chunk(b"IEND", b""), "damaged"),
        (with_chunk(chunk(b"JDAT", b"")), "unknown chunk"),
        (SIGNATURE + header(13, 20) + PLAIN[33:], "damaged"),
    ],
)
def test_what_is_no_png(data: bytes, complaint: str) -> None:
    with pytest.raises(DecodeError, match=complaint):
        decode_png(data, DEFAULTS)
