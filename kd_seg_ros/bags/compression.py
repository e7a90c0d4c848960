"""Decompression with a limit: what unpacks to more than it says is refused before it fills the memory."""

from __future__ import annotations

import sys
from typing import Any, Final

import lz4.frame

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LIMIT_BYTES: Final = 2**30
"""Largest size, unpacked, of one message or of one chunk of an MCAP file: 1 GiB."""
_PIECE_BYTES: Final = 2**26
"""Bytes that are unpacked at a time, so that what is refused has taken no more than its limit."""

ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
"""First four bytes of a Zstandard frame (RFC 8878, 3.1.1)."""


def unpacked_chunk(data: memoryview, compression: str, size: int) -> memoryview:
    """Unpack the records of an MCAP chunk.

    :param compression: as the chunk names it: ``zstd``, ``lz4`` or nothing.
    :param size: bytes that it says it has unpacked.
    :raises ValueError: if it has another size or one above :data:`LIMIT_BYTES`, or if the compression is
        unknown.
    """
    if size > LIMIT_BYTES:
        raise ValueError(f"a chunk says it unpacks to {size} bytes, above the limit of {LIMIT_BYTES}")
    if compression == "":
        raw = data
    elif compression == "zstd":
        raw = memoryview(_unpacked(zstd.ZstdDecompressor(), data, size))
    elif compression == "lz4":
        raw = memoryview(_unpacked(lz4.frame.LZ4FrameDecompressor(), data, size))
    else:
        raise ValueError(f"compression {compression!r} of a chunk is not supported")
    if len(raw) != size:
        raise ValueError(f"a chunk has {len(raw)} bytes where it says {size}")
    return raw


def unpacked_message(data: bytes) -> bytes:
    """Unpack one message of a bag whose messages are compressed by zstd each.

    :raises ValueError: if it is damaged or larger than :data:`LIMIT_BYTES`.
    """
    return _unpacked(zstd.ZstdDecompressor(), data, LIMIT_BYTES)


def _unpacked(decompressor: Any, data: bytes | memoryview, size: int) -> bytes:
    """Unpack one frame of at most ``size`` bytes; a frame of more or of an unknown end is refused."""
    pieces: list[bytes] = []
    total = 0
    while not decompressor.eof:
        try:
            piece = decompressor.decompress(data, max_length=min(size + 1 - total, _PIECE_BYTES))
        except (zstd.ZstdError, RuntimeError, EOFError) as error:
            raise ValueError(f"compressed data is damaged: {error}") from error
        data = b""
        pieces.append(piece)
        total += len(piece)
        if total > size:
            raise ValueError(f"compressed data unpacks to more than {size} bytes")
        if not piece and not decompressor.eof:
            raise ValueError("compressed data is cut short")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
