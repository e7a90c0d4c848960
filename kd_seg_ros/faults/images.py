"""Malformed camera messages from a seed: a named case per kind of fault, and what a decoder must make of it.

The messages are plain objects with the fields of ``sensor_msgs/Image`` or ``CompressedImage``; ``vars()`` of
one gives the fields to build a message of ROS or of rosbags from.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

HEIGHT, WIDTH = 48, 64
"""Size of the pictures, pixels."""


class Outcome(Enum):
    """What a decoder must make of a message."""

    REFUSED = "refused"
    """It says in one line why not."""
    SAME = "same"
    """It finds the whole picture in spite of the fault."""
    EITHER = "either"
    """The one or the other, or a picture of the right size: no decoder can know of such damage."""


@dataclass(frozen=True)
class RawImage:
    """The fields of a ``sensor_msgs/Image``, without its header."""

    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: bytes


@dataclass(frozen=True)
class CompressedImage:
    """The fields of a ``sensor_msgs/CompressedImage``, without its header."""

    format: str
    data: bytes


@dataclass(frozen=True)
class FaultyImage:
    """A message and what a decoder must make of it."""

    message: RawImage | CompressedImage
    outcome: Outcome
    picture: NDArray[np.uint8]
    """The picture that was meant, RGB [48, 64, 3]."""


def faulty_image(case: str, seed: int) -> FaultyImage:
    """Make the message of a case.

    :param case: a key of :data:`CASES`.
    :param seed: of its picture and of the places of damage.
    """
    rng = np.random.default_rng(seed)
    picture = _picture(rng)
    message, outcome = CASES[case](picture, rng)
    return FaultyImage(message, outcome, picture)


_Made = tuple[RawImage | CompressedImage, Outcome]
_Maker = Callable[[NDArray[np.uint8], np.random.Generator], _Made]


def _picture(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a smooth picture with some noise, which compresses as camera images do."""
    coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth + rng.normal(0, 4, smooth.shape), 0, 255).astype(np.uint8)


def _raw(picture: NDArray[np.uint8], _: np.random.Generator, **changes: object) -> _Made:
    """Make an rgb8 message with other fields than it should have."""
    fields = {
        "height": HEIGHT,
        "width": WIDTH,
        "encoding": "rgb8",
        "is_bigendian": 0,
        "step": 3 * WIDTH,
        "data": picture.tobytes(),
    }
    return RawImage(**(fields | changes)), Outcome.REFUSED  # type: ignore[arg-type]


def _short_data(picture: NDArray[np.uint8], rng: np.random.Generator) -> _Made:
    return _raw(picture, rng, data=picture.tobytes()[: int(rng.integers(0, picture.size))])


def _random_fields(picture: NDArray[np.uint8], rng: np.random.Generator) -> _Made:
    """Draw every field: small, large, or the largest that the message can hold."""
    sizes = [int(rng.integers(0, 100)), int(rng.integers(0, 2**32)), 2**32 - 1, WIDTH]
    height, width, step = rng.choice(sizes, 3).tolist()
    encodings = ["rgb8", "mono8", "mono16", "nv12", "yuv420", "nv24", "bayer_rggb8", "uyvy", "32FC1", "x"]
    message = RawImage(
        height, width, str(rng.choice(encodings)), int(rng.integers(2)), step, picture.tobytes()
    )
    return message, Outcome.EITHER


def _padded(picture: NDArray[np.uint8], rng: np.random.Generator) -> _Made:
    """Put bytes between the rows, which is no fault."""
    rows = np.pad(picture.reshape(HEIGHT, -1), ((0, 0), (0, int(rng.integers(1, 20)))))
    return _raw(picture, rng, step=rows.shape[1], data=rows.tobytes())[0], Outcome.SAME


def _encoded(picture: NDArray[np.uint8], extension: str, *options: int) -> bytes:
    return bytes(cv2.imencode(extension, picture[..., ::-1], options)[1].tobytes())


def _compressed(
    change: Callable[[bytes, np.random.Generator], bytes],
    outcome: Outcome,
    extension: str = ".jpg",
    kind: str = "jpeg",
    options: tuple[int, ...] = (),
) -> _Maker:
    """Return a function that makes a compressed message and changes its bytes."""

    def make(picture: NDArray[np.uint8], rng: np.random.Generator) -> _Made:
        return CompressedImage(kind, change(_encoded(picture, extension, *options), rng)), outcome

    return make


def _unchanged(data: bytes, _: np.random.Generator) -> bytes:
    return data


def _depths(data: bytes, _: np.random.Generator) -> bytes:
    """Put the parameters of compressed_depth_image_transport in front."""
    return bytes(12) + data


def _cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(0, len(data) - 40))]


def _cut_and_ended(data: bytes, rng: np.random.Generator) -> bytes:
    """Lose the second half or more of the scan, and end like a whole JPEG."""
    scan = data.index(b"\xff\xda") + 14
    return data[: int(rng.integers(scan, (scan + len(data)) // 2))] + b"\xff\xd9"


def _without_end(data: bytes, _: np.random.Generator) -> bytes:
    return data[:-2]


def _zeros_before_the_end(data: bytes, rng: np.random.Generator) -> bytes:
    return data[:-2] + bytes(int(rng.integers(1, 3000))) + data[-2:]


def _changed_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """Change four bytes anywhere."""
    damaged = bytearray(data)
    for at in rng.choice(len(data), 4, replace=False):
        damaged[at] ^= int(rng.integers(1, 256))
    return bytes(damaged)


def _claimed_jpeg(data: bytes, rng: np.random.Generator) -> bytes:
    """Claim a size of more than 100 million pixels."""
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", *rng.integers(10_001, 65_536, 2)) + data[at + 4 :]


def _many_scans(data: bytes, rng: np.random.Generator) -> bytes:
    """Repeat the last scan of a progressive JPEG."""
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * int(rng.integers(60, 3000)) + data[-2:]


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _claimed_png(data: bytes, rng: np.random.Generator) -> bytes:
    """Claim a size of more than 100 million pixels, with a right sum."""
    width, height = rng.integers(10_001, 2**31, 2)
    return data[:8] + _chunk(b"IHDR", struct.pack(">II", width, height) + data[24:29]) + data[33:]


def _texts(data: bytes, _: np.random.Generator) -> bytes:
    """Add a text and a colour profile that unpack to a thousand times their size."""
    bomb = zlib.compress(bytes(1_000_000), 1)
    return data[:33] + _chunk(b"zTXt", b"a\0\0" + bomb) + _chunk(b"iCCP", b"a\0\0" + bomb) + data[33:]


def _short_pixels(data: bytes, rng: np.random.Generator) -> bytes:
    """Pack fewer pixels than the size says, with right sums."""
    few = zlib.compress(bytes(int(rng.integers(0, HEIGHT * WIDTH))))
    return data[:33] + _chunk(b"IDAT", few) + _chunk(b"IEND", b"")


def _random_bytes(_: bytes, rng: np.random.Generator) -> bytes:
    start = [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"RIFF"][int(rng.integers(5))]
    return start + rng.bytes(int(rng.integers(0, 3000)))


_PROGRESSIVE: Final = (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
_RESTARTS: Final = (cv2.IMWRITE_JPEG_RST_INTERVAL, 2)

CASES: Final[dict[str, _Maker]] = {
    "empty size": partial(_raw, height=0),
    "no step": partial(_raw, step=0),
    "step too small": partial(_raw, step=3 * WIDTH - 1),
    "step beyond the data": partial(_raw, step=2**32 - 1),
    "size that overflows": partial(_raw, height=2**32 - 1, width=2**32 - 1, step=2**32 - 1),
    "rows beyond the data": partial(_raw, height=HEIGHT + 1),
    "no data": partial(_raw, data=b""),
    "short data": _short_data,
    "no encoding": partial(_raw, encoding=""),
    "unknown encoding": partial(_raw, encoding="rgb8\n\0ü" * 1000),
    "vendor's encoding": partial(_raw, encoding="RGB8"),
    "depth": partial(_raw, encoding="32FC1"),
    "odd planes": partial(_raw, encoding="nv12", height=HEIGHT - 1),
    "random fields": _random_fields,
    "padded rows": _padded,
    "jpeg: cut": _compressed(_cut, Outcome.REFUSED),
    "jpeg: cut and ended": _compressed(_cut_and_ended, Outcome.REFUSED),
    "jpeg: progressive, cut": _compressed(_cut, Outcome.REFUSED, options=_PROGRESSIVE),
    "jpeg: without its end": _compressed(_without_end, Outcome.SAME),
    "jpeg: zeros before the end": _compressed(_zeros_before_the_end, Outcome.SAME),
    "jpeg: changed bytes": _compressed(_changed_bytes, Outcome.EITHER),
    "jpeg: progressive, changed bytes": _compressed(_changed_bytes, Outcome.EITHER, options=_PROGRESSIVE),
    "jpeg: restarts, changed bytes": _compressed(_changed_bytes, Outcome.EITHER, options=_RESTARTS),
    "jpeg: claimed size": _compressed(_claimed_jpeg, Outcome.REFUSED),
    "jpeg: many scans": _compressed(_many_scans, Outcome.REFUSED, options=_PROGRESSIVE),
    "png: cut": _compressed(_cut, Outcome.REFUSED, ".png", "png"),
    "png: changed bytes": _compressed(_changed_bytes, Outcome.REFUSED, ".png", "png"),
    "png: claimed size": _compressed(_claimed_png, Outcome.REFUSED, ".png", "png"),
    "png: texts that unpack": _compressed(_texts, Outcome.SAME, ".png", "png"),
    "png: few pixels": _compressed(_short_pixels, Outcome.REFUSED, ".png", "png"),
    "depth, compressed": _compressed(
        lambda data, _: bytes(12) + data, Outcome.REFUSED, ".png", "; compressedDepth"
    ),
    "other formats": _compressed(_unchanged, Outcome.REFUSED, ".bmp"),
    "random bytes": _compressed(_random_bytes, Outcome.REFUSED),
}
"""Cases by name."""
