"""An MCAP file in which any index may be left out, as the format allows it (https://mcap.dev/spec)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from zlib import crc32

from kd_seg_ros.bags.mcap_records import MAGIC, Op

_MESSAGE_INDEX: Final = 0x07


@dataclass(frozen=True)
class McapLayout:
    """Which parts of the format a file has."""

    chunks: bool = True
    message_index: bool = True
    chunk_index: bool = True
    statistics: bool = True
    topics_in_summary: bool = True
    summary: bool = True
    per_chunk: int = 3
    """Number of messages in a chunk."""


def mcap_bytes(
    topics: Sequence[tuple[str, str]], messages: Sequence[tuple[int, int, bytes]], layout: McapLayout
) -> bytes:
    """Write a file.

    :param topics: name and message type of each.
    :param messages: number of the topic, log time (ns) and serialised message (CDR), in the file's order.
    """
    described = b"".join(_topic(number, *topic) for number, topic in enumerate(topics, 1))
    out = MAGIC + _record(Op.HEADER, _string("ros2") + _string("kd_seg_ros"))
    indexes = b""
    per_chunk = layout.per_chunk if layout.chunks else 1
    if not layout.chunks:
        out += described
    chunks = 0
    for start in range(0, len(messages), per_chunk):
        part = messages[start : start + per_chunk]
        content = b"".join(_message(topic + 1, time, raw) for topic, time, raw in part)
        if not layout.chunks:
            out += content
            continue
        if start == 0:
            content = described + content
        chunks += 1
        index = _chunk_index(part, len(out), content, layout)
        out += _chunk(part, content)
        if layout.message_index:
            out += _message_indexes(part)
        indexes += index
    out += _record(Op.DATA_END, bytes(4))
    summary = b""
    if layout.topics_in_summary:
        summary += described
    if layout.chunk_index:
        summary += indexes
    if layout.statistics:
        summary += _statistics(len(topics), messages, chunks)
    begin = len(out) if layout.summary and summary else 0
    out += summary if begin else b""
    return out + _record(Op.FOOTER, struct.pack("<QQI", begin, 0, 0)) + MAGIC


def _record(op: int, content: bytes) -> bytes:
    return struct.pack("<BQ", op, len(content)) + content


def _string(text: str) -> bytes:
    return struct.pack("<I", len(text.encode())) + text.encode()


def _topic(number: int, name: str, msgtype: str) -> bytes:
    schema = struct.pack("<H", number) + _string(msgtype) + _string("ros2msg") + _string("")
    channel = struct.pack("<HH", number, number) + _string(name) + _string("cdr") + struct.pack("<I", 0)
    return _record(Op.SCHEMA, schema) + _record(Op.CHANNEL, channel)


def _message(channel: int, time: int, raw: bytes) -> bytes:
    return _record(Op.MESSAGE, struct.pack("<HIQQ", channel, 0, time, time) + raw)


def _chunk(part: Sequence[tuple[int, int, bytes]], content: bytes) -> bytes:
    times = [time for _, time, _ in part]
    head = struct.pack("<QQQI", min(times), max(times), len(content), crc32(content))
    return _record(Op.CHUNK, head + _string("") + struct.pack("<Q", len(content)) + content)


def _message_indexes(part: Sequence[tuple[int, int, bytes]]) -> bytes:
    """Write an index record per channel; its offsets within the chunk are not read here, and are zero."""
    out = b""
    for channel in sorted({topic for topic, _, _ in part}):
        times = [time for topic, time, _ in part if topic == channel]
        entries = b"".join(struct.pack("<QQ", time, 0) for time in times)
        out += _record(_MESSAGE_INDEX, struct.pack("<HI", channel + 1, len(entries)) + entries)
    return out


def _chunk_index(
    part: Sequence[tuple[int, int, bytes]], offset: int, content: bytes, layout: McapLayout
) -> bytes:
    times = [time for _, time, _ in part]
    length = len(_chunk(part, content))
    offsets, after = b"", offset + length
    if layout.message_index:
        for channel in sorted({topic for topic, _, _ in part}):
            offsets += struct.pack("<HQ", channel + 1, after)
            after += len(_message_indexes([message for message in part if message[0] == channel]))
    head = struct.pack("<QQQQI", min(times), max(times), offset, length, len(offsets)) + offsets
    sizes = struct.pack("<QQ", len(content), len(content))
    return _record(Op.CHUNK_INDEX, head + struct.pack("<Q", after - offset - length) + _string("") + sizes)


def _statistics(topics: int, messages: Sequence[tuple[int, int, bytes]], chunks: int) -> bytes:
    times = [time for _, time, _ in messages]
    head = struct.pack("<QHIIIIQQ", len(messages), topics, topics, 0, 0, chunks, min(times), max(times))
    counts = b""
    for channel in range(topics):
        counts += struct.pack("<HQ", channel + 1, sum(topic == channel for topic, _, _ in messages))
    return _record(Op.STATISTICS, head + struct.pack("<I", len(counts)) + counts)
