"""One MCAP file of a bag, read with or without its indexes.

A writer may leave out the summary, the statistics, the index of the chunks, that of the messages, or the
chunks themselves (``ros2 bag record --storage-preset-profile fastwrite``). What is missing is found by
reading through the file once.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from zlib import crc32

from rosbags.interfaces import Connection, ConnectionExtRosbag2, MessageDefinition, MessageDefinitionFormat

from kd_seg_ros.bags.compression import LIMIT_BYTES
from kd_seg_ros.bags.loose_messages import LooseMessages
from kd_seg_ros.bags.mcap_records import (
    FOOTER_BYTES,
    HEAD_BYTES,
    MAGIC,
    Channel,
    ChunkEntry,
    Fields,
    Op,
    Record,
    Schema,
    Statistics,
    StoredMessage,
    chunk_records,
    content,
    file_records,
    message_at,
    read_channel,
    read_chunk,
    read_chunk_index,
    read_schema,
    read_statistics,
)
from kd_seg_ros.bags.quality import parsed_offers

_Timed = tuple[int, int, bytes]  # log time, channel, serialised message

_SCHEMALESS = Schema("", MessageDefinition(MessageDefinitionFormat.NONE, ""))


class McapFile:
    """An open MCAP file: its topics, its span of time and its messages in the order of log time."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        :raises ValueError: if it is no MCAP file, or damaged.
        :raises OSError: if it cannot be read.
        """
        self.path = path
        self._schemas: dict[int, Schema] = {}
        self._channels: dict[int, Channel] = {}
        self._chunks: list[ChunkEntry] = []
        self._loose = LooseMessages()
        self._statistics: Statistics | None = None
        self._file = path.open("rb")
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    @property
    def message_count(self) -> int:
        """Number of messages."""
        return self._totals.messages

    @property
    def start_time(self) -> int:
        """Log time of the first message, ns."""
        return self._totals.start

    @property
    def end_time(self) -> int:
        """Log time of the last message, ns, plus 1."""
        return self._totals.end + 1

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def messages(
        self, connections: Collection[Connection], start: int | None, stop: int | None
    ) -> Iterator[tuple[Connection, int, bytes]]:
        """Yield connection, log time (ns) and serialised message of these connections, by log time.

        :param start: leave out messages before this log time.
        :param stop: leave out messages from this log time on.
        :raises ValueError: where the file is damaged.
        """
        wanted = {connection.id: connection for connection in connections}
        first = 0 if start is None else start
        last = 2**64 if stop is None else stop
        # A chunk is read when the merge has come to its first log time, so that as few as possible are in
        # memory: each source yields a message without a channel first.
        sources = [
            self._messages_of_chunk(chunk, wanted, first, last)
            for chunk in self._chunks
            if first <= chunk.end and chunk.start < last and _may_hold(chunk, wanted)
        ]
        sources.append(self._messages_outside(wanted, first, last))
        for time, channel, raw in heapq.merge(*sources, key=_time):
            if channel >= 0:
                yield wanted[channel], time, raw

    def _messages_of_chunk(
        self, chunk: ChunkEntry, wanted: dict[int, Connection], first: int, last: int
    ) -> Iterator[_Timed]:
        yield max(chunk.start, first), -1, b""
        unpacked = self._unpacked(chunk)
        found: list[StoredMessage] = []
        for record in chunk_records(unpacked):
            if record.op == Op.MESSAGE:
                message = message_at(unpacked[record.offset : record.offset + 22], record)
                if first <= message.time < last and message.channel in wanted:
                    found.append(message)
        found.sort(key=_stored_time)
        for message in found:
            raw = unpacked[message.offset : message.offset + message.length]
            yield message.time, message.channel, bytes(raw)

    def _messages_outside(self, wanted: dict[int, Connection], first: int, last: int) -> Iterator[_Timed]:
        """Yield the messages that lie in no chunk."""
        for message in self._loose.by_time():
            if first <= message.time < last and message.channel in wanted:
                raw = content(self._file, Record(Op.MESSAGE, message.offset, message.length), LIMIT_BYTES)
                yield message.time, message.channel, raw

    def _unpacked(self, chunk: ChunkEntry) -> memoryview:
        """Read a chunk that the index names; its record must be where the index says."""
        record = next(file_records(self._file, chunk.offset - HEAD_BYTES, self._footer), None)
        if record is None or record.op != Op.CHUNK:
            raise ValueError(f"the index names a chunk at byte {chunk.offset}, where there is none")
        return read_chunk(content(self._file, record, 2 * LIMIT_BYTES))

    def _open(self) -> None:
        size = self._file.seek(0, 2)
        self._file.seek(0)
        if self._file.read(len(MAGIC)) != MAGIC:
            raise ValueError("not an MCAP file")
        self._footer = size - FOOTER_BYTES
        self._file.seek(max(self._footer, len(MAGIC)))
        footer = self._file.read(FOOTER_BYTES)
        if not footer.endswith(MAGIC) or footer[0] != Op.FOOTER or len(footer) < FOOTER_BYTES:
            raise ValueError("the end magic of MCAP is missing")
        header = next(file_records(self._file, len(MAGIC), self._footer), None)
        if header is None or header.op != Op.HEADER:
            raise ValueError("the header of the MCAP file is missing")
        profile = Fields(content(self._file, header)).text()
        if profile != "ros2":
            raise ValueError(f"the profile of the MCAP file is {profile!r}, not 'ros2'")
        self._data = header.offset + header.length
        self._read_summary(footer)
        if not self._complete():
            self._scan()
        self.connections = [self._connection(number) for number in sorted(self._channels)]

    def _read_summary(self, footer: bytes) -> None:
        """Read the indexes at the end of the file, if they are there and undamaged."""
        fields = Fields(footer[HEAD_BYTES:])
        start = fields.number(8)
        fields.number(8)  # where the offsets within the summary begin
        checksum = fields.number(4)
        if start == 0:
            return
        if not self._data <= start <= self._footer:
            raise ValueError("the footer of the MCAP file names a summary where there can be none")
        if checksum:
            self._file.seek(start)
            if crc32(self._file.read(self._footer - start) + footer[:25]) != checksum:
                return
        for record in file_records(self._file, start, self._footer):
            if record.op == Op.CHUNK_INDEX:
                self._chunks.append(read_chunk_index(content(self._file, record)))
            elif record.op == Op.STATISTICS:
                self._statistics = read_statistics(content(self._file, record))
            else:
                self._note_topic(record.op, record, None)

    def _complete(self) -> bool:
        """Return whether the summary tells all topics and where their messages are."""
        found = self._statistics
        if found is None or found.chunks != len(self._chunks):
            return False
        if sum(found.counts.values()) != found.messages or (found.messages and not self._chunks):
            return False
        known = self._channels
        return all(channel in known for channel in found.counts) and all(
            channel.schema in self._schemas for channel in known.values()
        )

    def _scan(self) -> None:
        """Read through the file to find its topics, chunks and messages."""
        self._chunks.clear()
        counts: Counter[int] = Counter()
        for record in file_records(self._file, self._data, self._footer):
            if record.op == Op.DATA_END:
                break
            if record.op == Op.CHUNK:
                self._scan_chunk(record, counts)
            elif record.op == Op.MESSAGE:
                self._file.seek(record.offset)
                message = message_at(self._file.read(22), record)
                self._loose.add(message)
                counts[message.channel] += 1
            else:
                self._note_topic(record.op, record, None)
        starts = [chunk.start for chunk in self._chunks if chunk.channels] + self._loose.span()[:1]
        ends = [chunk.end for chunk in self._chunks if chunk.channels] + self._loose.span()[1:]
        self._statistics = Statistics(
            counts.total(),
            len(self._chunks),
            min(starts, default=0),
            max(ends, default=0),
            dict(counts),
        )

    def _scan_chunk(self, record: Record, counts: Counter[int]) -> None:
        unpacked = read_chunk(content(self._file, record, 2 * LIMIT_BYTES))
        times: list[int] = []
        channels: set[int] = set()
        for inner in chunk_records(unpacked):
            if inner.op == Op.MESSAGE:
                message = message_at(unpacked[inner.offset : inner.offset + 22], inner)
                counts[message.channel] += 1
                channels.add(message.channel)
                times.append(message.time)
            else:
                self._note_topic(inner.op, inner, unpacked)
        entry = ChunkEntry(min(times, default=0), max(times, default=0), record.offset, frozenset(channels))
        self._chunks.append(entry)

    def _note_topic(self, op: int, record: Record, chunk: memoryview | None) -> None:
        """Keep a schema or a channel, of the file or of an unpacked chunk; pass over any other record."""
        if op not in (Op.SCHEMA, Op.CHANNEL):
            return
        if chunk is None:
            found = content(self._file, record)
        else:
            found = bytes(chunk[record.offset : record.offset + record.length])
        if op == Op.SCHEMA:
            number, schema = read_schema(found)
            self._schemas[number] = schema
        else:
            number, channel = read_channel(found)
            self._channels[number] = channel

    @property
    def _totals(self) -> Statistics:
        assert self._statistics is not None
        return self._statistics

    def _connection(self, number: int) -> Connection:
        channel = self._channels[number]
        schema = self._schemas.get(channel.schema, _SCHEMALESS)
        return Connection(
            id=number,
            topic=channel.topic,
            msgtype=schema.name,
            msgdef=schema.definition,
            digest="",
            msgcount=self._totals.counts.get(number, 0),
            ext=ConnectionExtRosbag2(channel.encoding, parsed_offers(channel.offered)),
            owner=self,
        )


def _may_hold(chunk: ChunkEntry, wanted: Collection[int]) -> bool:
    return chunk.channels is None or any(channel in chunk.channels for channel in wanted)


def _time(message: _Timed) -> int:
    return message[0]


def _stored_time(message: StoredMessage) -> int:
    return message.time
