"""The records of an MCAP file (https://mcap.dev/spec); no record is trusted about its length.

A record is one byte of opcode, its length (uint64) and so many bytes; numbers are little endian; a string is
its length (uint32) and its bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import BinaryIO, Final
from zlib import crc32

from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat

from kd_seg_ros.bags.compression import LIMIT_BYTES, unpacked_chunk

MAGIC: Final = b"\x89MCAP0\r\n"
"""First and last eight bytes of a file."""

_HEAD: Final = struct.Struct("<BQ")
HEAD_BYTES: Final = _HEAD.size
"""Bytes of a record before its content."""
FOOTER_BYTES: Final = HEAD_BYTES + 20 + len(MAGIC)
"""Bytes of the footer record with the magic after it."""
_MESSAGE: Final = struct.Struct("<HIQQ")
_CHUNK: Final = struct.Struct("<QQQI")
_LIMIT_BYTES: Final = 2**26  # of a record without messages; a message definition has some kilobytes
_DEFINITIONS: Final = {
    "ros2msg": MessageDefinitionFormat.MSG,
    "ros2idl": MessageDefinitionFormat.IDL,
    "omgidl": MessageDefinitionFormat.IDL,
}


class Op(IntEnum):
    """Opcodes of the records that are read here."""

    HEADER = 0x01
    FOOTER = 0x02
    SCHEMA = 0x03
    CHANNEL = 0x04
    MESSAGE = 0x05
    CHUNK = 0x06
    CHUNK_INDEX = 0x08
    STATISTICS = 0x0B
    DATA_END = 0x0F


@dataclass(frozen=True)
class Record:
    """Where a record lies."""

    op: int
    offset: int
    """First byte of its content."""
    length: int
    """Bytes of its content."""


@dataclass(frozen=True)
class Schema:
    """A message type."""

    name: str
    definition: MessageDefinition


@dataclass(frozen=True)
class Channel:
    """A topic as one publisher offered it."""

    schema: int
    topic: str
    encoding: str
    offered: str
    """Quality of service, YAML."""


@dataclass(frozen=True)
class ChunkEntry:
    """A chunk as the index, or a scan of the file, describes it."""

    start: int
    """Log time of its first message, ns."""
    end: int
    """Log time of its last message, ns."""
    offset: int
    """First byte of the chunk record's content."""
    channels: frozenset[int] | None
    """Channels that have messages in it; None: unknown, the file has no index of its messages."""


@dataclass(frozen=True)
class StoredMessage:
    """Where a message lies in the file or in an unpacked chunk."""

    channel: int
    time: int
    """Log time, ns."""
    offset: int
    """First byte of the serialised message."""
    length: int
    """Bytes of the serialised message."""


class Fields:
    """Reads one field of a record after the other."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._offset = 0

    def number(self, size: int) -> int:
        """Read an unsigned number of so many bytes."""
        return int.from_bytes(self.take(size), "little")

    def take(self, count: int) -> bytes:
        """Read so many bytes.

        :raises ValueError: if the record has fewer.
        """
        end = self._offset + count
        if end > len(self._content):
            raise ValueError("a record is shorter than its fields")
        found = self._content[self._offset : end]
        self._offset = end
        return found

    def sized(self) -> bytes:
        """Read bytes after their number (uint32)."""
        return self.take(self.number(4))

    def text(self) -> str:
        """Read a string."""
        return self.sized().decode()

    def more(self) -> bool:
        """Return whether there are bytes left."""
        return self._offset < len(self._content)


def file_records(file: BinaryIO, start: int, end: int) -> Iterator[Record]:
    """Yield the records between two offsets of a file.

    :raises ValueError: where there is none, or one that reaches beyond the end.
    """
    while start < end:
        file.seek(start)
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            raise ValueError(f"a record is cut short at byte {start}")
        op, length = _HEAD.unpack(head)
        if op == 0 or start + _HEAD.size + length > end:
            raise ValueError(f"no record where one is due, at byte {start}")
        yield Record(op, start + _HEAD.size, length)
        start += _HEAD.size + length


def content(file: BinaryIO, record: Record, limit: int = _LIMIT_BYTES) -> bytes:
    """Read a record's content.

    :raises ValueError: if it is longer than ``limit`` bytes, or cut short.
    """
    if record.length > limit:
        raise ValueError(f"a record says it has {record.length} bytes, above the limit of {limit}")
    file.seek(record.offset)
    found = file.read(record.length)
    if len(found) < record.length:
        raise ValueError(f"a record is cut short at byte {record.offset}")
    return found


def chunk_records(chunk: memoryview) -> Iterator[Record]:
    """Yield the records of an unpacked chunk, up to a place where there is none.

    What is lost there is noticed by whoever counts the messages.
    """
    start = 0
    while start + _HEAD.size <= len(chunk):
        op, length = _HEAD.unpack_from(chunk, start)
        if op == 0 or start + _HEAD.size + length > len(chunk):
            return
        yield Record(op, start + _HEAD.size, length)
        start += _HEAD.size + length


def read_schema(record: bytes) -> tuple[int, Schema]:
    """Return number and content of a schema record."""
    fields = Fields(record)
    number, name, encoding = fields.number(2), fields.text(), fields.text()
    kind = _DEFINITIONS.get(encoding, MessageDefinitionFormat.NONE)
    text = fields.sized().decode(errors="replace")
    return number, Schema(name, MessageDefinition(kind, text))


def read_channel(record: bytes) -> tuple[int, Channel]:
    """Return number and content of a channel record."""
    fields = Fields(record)
    number, schema = fields.number(2), fields.number(2)
    topic, encoding = fields.text(), fields.text()
    notes = Fields(fields.sized())
    offered = ""
    while notes.more():
        key, value = notes.text(), notes.text()
        if key == "offered_qos_profiles":
            offered = value
    return number, Channel(schema, topic, encoding, offered)


def read_chunk_index(record: bytes) -> ChunkEntry:
    """Return what a chunk index record says of its chunk."""
    fields = Fields(record)
    start, end, offset = fields.number(8), fields.number(8), fields.number(8)
    fields.number(8)  # length of the chunk
    channels = Fields(fields.sized())
    found: list[int] = []
    while channels.more():
        found.append(channels.number(2))
        channels.number(8)  # offset of the channel's index
    return ChunkEntry(start, end, offset + _HEAD.size, frozenset(found) or None)


@dataclass(frozen=True)
class Statistics:
    """Totals that a file gives of itself."""

    messages: int
    chunks: int
    start: int
    """Log time of the first message, ns."""
    end: int
    """Log time of the last message, ns."""
    counts: dict[int, int]
    """Number of messages by channel."""


def read_statistics(record: bytes) -> Statistics:
    """Return the content of a statistics record."""
    fields = Fields(record)
    messages = fields.number(8)
    fields.take(2 + 4 + 4 + 4)  # numbers of schemas, channels, attachments and metadata
    chunks, start, end = fields.number(4), fields.number(8), fields.number(8)
    pairs = Fields(fields.sized())
    counts: dict[int, int] = {}
    while pairs.more():
        channel = pairs.number(2)
        counts[channel] = pairs.number(8)
    return Statistics(messages, chunks, start, end, counts)


def read_chunk(record: bytes) -> memoryview:
    """Return the records of a chunk, unpacked; they are not copied where they are not compressed.

    :raises ValueError: if its size, its compression or its checksum is not what it says.
    """
    _, _, size, checksum = _CHUNK.unpack_from(record)
    fields = Fields(record[_CHUNK.size : _CHUNK.size + 64])
    compression = fields.text()
    length = fields.number(8)
    start = _CHUNK.size + 4 + len(compression.encode()) + 8
    if start + length > len(record):
        raise ValueError("a chunk is shorter than it says")
    raw = unpacked_chunk(memoryview(record)[start : start + length], compression, size)
    if checksum and crc32(raw) != checksum:
        raise ValueError("the checksum of a chunk does not match")
    return raw


def message_at(head: bytes | memoryview, record: Record) -> StoredMessage:
    """Return where a message lies.

    :param head: at least the first 22 bytes of the record's content.
    :raises ValueError: if the record is too short for a message, or too long.
    """
    if record.length < _MESSAGE.size or record.length > LIMIT_BYTES:
        raise ValueError(f"a message record of {record.length} bytes")
    channel, _, time, _ = _MESSAGE.unpack_from(head)
    return StoredMessage(channel, time, record.offset + _MESSAGE.size, record.length - _MESSAGE.size)
