"""PNG images: their size before memory is taken for them, and only what makes the picture is decoded."""

from __future__ import annotations

import struct
import zlib
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.common.picture import DecodeError, DecodeOptions, check_size

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"

_NEEDED: Final = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
"""Chunks that make the picture. The others (texts, colour profiles, animations) never reach the decoder: some
of them unpack to far more than they hold."""
_HEADER_BYTES: Final = 13
# Parts of a file, whose numbers begin with their highest byte: a chunk's length and type, a sum, a size.
_CHUNK_HEAD: Final = struct.Struct(">I4s")
_SUM: Final = struct.Struct(">I")
_SIZE: Final = struct.Struct(">II")


class PngHeader(NamedTuple):
    """What a PNG says of itself, and what is left of it."""

    height: int
    width: int
    picture: bytes
    """A PNG of the needed chunks: the same object where there are no others."""
    exif: bytes
    """Content of the eXIf chunk, a TIFF structure; empty if there is none."""


def read_chunks(data: bytes, options: DecodeOptions) -> PngHeader:
    """Walk over the chunks and check them by their sums.

    :raises DecodeError: if the file is damaged, cut short or above the limit.
    """
    view = memoryview(data)
    needed: list[tuple[int, int]] = []
    exif, size, position = b"", (0, 0), len(SIGNATURE)
    kind, complete = b"", True
    while kind != b"IEND":
        # A chunk: length, type, content, sum over type and content.
        content = position + 8
        if content > len(data):
            raise DecodeError(f"the PNG is cut short after {len(data)} bytes")
        length, kind = _CHUNK_HEAD.unpack_from(data, position)
        end = content + length + 4
        if end > len(data):
            raise DecodeError(f"the PNG is cut short after {len(data)} bytes")
        if position == len(SIGNATURE):
            if kind != b"IHDR" or length != _HEADER_BYTES:
                raise DecodeError("the PNG is damaged: it does not begin with its size")
            width, height = _SIZE.unpack_from(data, content)
            check_size(height, width, options)
            size = height, width
        # The decoder sums up the chunks of pixels as well, but says what is wrong on standard error only.
        if zlib.crc32(view[position + 4 : end - 4]) != _SUM.unpack_from(data, end - 4)[0]:
            raise DecodeError(f"the PNG is damaged: wrong sum at byte {end - 4} of {len(data)}")
        if kind in _NEEDED:
            needed.append((position, end))
        elif kind[:1].isupper():
            raise DecodeError(f"the PNG is damaged: unknown chunk at byte {position} of {len(data)}")
        else:
            complete = False
        if kind == b"eXIf":
            exif = data[content : end - 4]
        position = end
    picture = data
    if not complete:
        picture = SIGNATURE + b"".join([view[start:end] for start, end in needed])
    return PngHeader(*size, picture, exif)


def decode_png(data: bytes, options: DecodeOptions) -> NDArray[Any]:
    """Decode to [H, W], [H, W, 3] in BGR or [H, W, 4] in BGRA; uint16 if it has 16 bits per channel.

    :raises DecodeError: if the image is damaged, cut short or above the limit.
    """
    header = read_chunks(data, options)
    try:
        pixels = cv2.imdecode(np.frombuffer(header.picture, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise DecodeError(f"the PNG cannot be decoded: {error.err}") from error
    if pixels is None or pixels.shape[:2] != (header.height, header.width):
        raise DecodeError("the PNG is damaged")
    return pixels
