"""Reads the outline of a protocol buffer, the format of ONNX files, without a library and without copies.

A message is a sequence of fields. Each begins with a number, shifted left by three bits, and the kind of
what follows: a number of variable length, 4 or 8 bytes, or a length and so many bytes, which may again be a
message.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

NUMBER: Final = 0
"""Kind of a field that holds a number of variable length, seven bits a byte."""
BYTES: Final = 2
"""Kind of a field that holds bytes: text, packed numbers or a message."""

_FIXED: Final = {1: 8, 5: 4}
"""Kinds of fields of a fixed length, and that length in bytes."""
_LONGEST: Final = 10
"""Bytes of the longest number: 64 bits in groups of seven."""


class DamagedMessageError(ValueError):
    """Bytes that are no protocol buffer."""


class Field(NamedTuple):
    """One field of a message."""

    number: int
    """Which field of the message it is."""
    kind: int
    """:data:`NUMBER`, :data:`BYTES`, or that of a number of 4 or 8 bytes."""
    value: int
    """The number; 0 for the other kinds."""
    start: int
    """Place of the first byte of the content."""
    end: int
    """Place after the last byte of the content."""


def read_fields(data: bytes, start: int, end: int) -> Iterator[Field]:
    """Yield the fields of the message in ``data[start:end]``.

    :raises DamagedMessageError: if a field is cut short or of a kind that does not exist.
    """
    place = start
    while place < end:
        key, place = read_number(data, place, end)
        number, kind = key >> 3, key & 7
        value = 0
        if kind == NUMBER:
            begin = place
            value, place = read_number(data, place, end)
        elif kind == BYTES:
            length, begin = read_number(data, place, end)
            place = begin + length
        elif kind in _FIXED:
            begin = place
            place += _FIXED[kind]
        else:
            raise DamagedMessageError(f"byte {place} begins no field")
        if place > end or number == 0:
            raise DamagedMessageError(f"a field is cut short at byte {end}")
        yield Field(number, kind, value, begin, place)


def read_number(data: bytes, place: int, end: int) -> tuple[int, int]:
    """Return the unsigned number of variable length at a place, and the place after it.

    :raises DamagedMessageError: if it goes on after ``end`` or is longer than 64 bits.
    """
    value = 0
    for index in range(_LONGEST):
        if place >= end:
            break
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, place
    raise DamagedMessageError(f"a number is cut short at byte {place}")


def read_numbers(data: bytes, field: Field) -> list[int]:
    """Return the numbers of a repeated field's part: packed into bytes, or one alone; signed, 64 bits."""
    found = [field.value]
    if field.kind == BYTES:
        found, place = [], field.start
        while place < field.end:
            value, place = read_number(data, place, field.end)
            found.append(value)
    return [value - (1 << 64) if value >> 63 else value for value in found]
