"""Image files as bytes: grey PNGs of few bits put together by hand, and damage to any file."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray


def grey_png(values: NDArray[np.uint8], bits: int) -> bytes:
    """Return a grey PNG of 1, 2 or 4 bits per pixel, put together by hand."""

    rows = bytearray()
    for row in values:
        unpacked = np.unpackbits(row[:, None], axis=1)[:, -bits:]
        rows += b"\0" + np.packbits(unpacked.reshape(-1)).tobytes()
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], bits, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n"
    for kind, content in ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows))), (b"IEND", b"")):
        png += struct.pack(">I", len(content)) + kind + content
        png += struct.pack(">I", zlib.crc32(kind + content))
    return png


def cut(data: bytes, rng: np.random.Generator) -> bytes:
    """Cut a file, at least 20 bytes before its end."""
    return data[: int(rng.integers(0, len(data) - 20))]


def flip(data: bytes, rng: np.random.Generator) -> bytes:
    """Change one bit."""
    damaged = bytearray(data)
    damaged[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


def noise(data: bytes, rng: np.random.Generator) -> bytes:
    """Replace all but the signature by random bytes."""
    return data[:8] + rng.bytes(int(rng.integers(0, 500)))


def empty(_: bytes, __: np.random.Generator) -> bytes:
    """Leave nothing."""
    return b""


def claimed(data: bytes, rng: np.random.Generator) -> bytes:
    """Claim a size of more than 10^8 pixels, with a right sum."""

    sides = rng.integers(20_000, 2**31, 2)
    header = b"IHDR" + struct.pack(">II", *sides.tolist()) + data[24:29]
    return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]
