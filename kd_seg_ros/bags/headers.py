"""The header of a serialised message, read without the megabytes that follow it. No ROS in here.

CDR (OMG DDSI-RTPS 2.3, chapter 10; DDS-XTypes 1.3, 7.4): four bytes of encapsulation, of which the lowest bit
of the second says little endian; then the fields in order, each aligned to its size, counted from the fifth
byte; a string is its length with the final zero (uint32) and its bytes.
"""

from __future__ import annotations

import struct
from typing import NamedTuple


class Header(NamedTuple):
    """The two fields of a ``std_msgs/Header``."""

    stamp: int
    """Header stamp, ns since 1970."""
    frame_id: str
    """Coordinate frame of the message."""


def read_header(raw: bytes) -> Header:
    """Read the header that a message begins with.

    :raises ValueError: if the message is too short to have one.
    """
    header, _ = _split(raw)
    return header


def image_size(raw: bytes) -> tuple[int, int]:
    """Read height and width of a ``sensor_msgs/Image``.

    :raises ValueError: if the message is too short to have them.
    """
    _, end = _split(raw)
    height, width = _unpack(raw, "II", 4 + -(-(end - 4) // 4) * 4)
    return height, width


def _split(raw: bytes) -> tuple[Header, int]:
    """Return the header and where it ends."""
    seconds, nanoseconds, length = _unpack(raw, "iII", 4)
    if len(raw) < 16 + length:
        raise ValueError("the message is cut short")
    frame_id = bytes(raw[16 : 16 + length]).rstrip(b"\0").decode(errors="replace")
    return Header(seconds * 10**9 + nanoseconds, frame_id), 16 + length


def _unpack(raw: bytes, fields: str, offset: int) -> tuple[int, ...]:
    try:
        return struct.unpack_from(("<" if raw[1] & 1 else ">") + fields, raw, offset)
    except (struct.error, IndexError) as error:
        raise ValueError("the message is cut short") from error
