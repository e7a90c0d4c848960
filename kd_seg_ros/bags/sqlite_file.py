"""One SQLite file of a bag, read without a change to any file next to it.

A recorder that is killed leaves its last messages in a write-ahead log (``NAME.db3-wal``). SQLite reads it
together with the file, but normally also writes an index of it (``-shm``) and moves its content into the
file. Here SQLite keeps the index in memory and is told to leave the log alone.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import apsw
from rosbags.interfaces import Connection, ConnectionExtRosbag2, MessageDefinition, MessageDefinitionFormat

from kd_seg_ros.bags.quality import parsed_offers

_JOURNAL_MAGIC: Final = bytes.fromhex("d9d505f920a163d7")
_SHM_LOCKS: Final = (120, 9)  # offset and number of the bytes of NAME-shm that every user of a log locks
_DEFINITIONS: Final = {"ros2msg": MessageDefinitionFormat.MSG, "ros2idl": MessageDefinitionFormat.IDL}
_NO_DEFINITION: Final = MessageDefinition(MessageDefinitionFormat.NONE, "")


class SqliteFile:
    """An open SQLite file: its topics, its span of time and its messages in the order of log time."""

    def __init__(self, path: Path) -> None:
        """Open the file, together with its write-ahead log if there is one.

        :raises ValueError: if it is no bag, is damaged, or a recorder writes it at this moment.
        """
        self.path = path
        self._database = _connect(path)
        try:
            self._open()
        except apsw.Error as error:
            self.close()
            raise ValueError(f"not a readable SQLite file: {error}") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def messages(
        self, connections: Collection[Connection], start: int | None, stop: int | None
    ) -> Iterator[tuple[Connection, int, bytes]]:
        """Yield connection, log time (ns) and serialised message of these connections, by log time.

        :param start: leave out messages before this log time.
        :param stop: leave out messages from this log time on.
        :raises ValueError: where the file is damaged.
        """
        wanted = {connection.id: connection for connection in connections}
        marks = ",".join("?" for _ in wanted)
        query = f"SELECT topic_id, timestamp, data FROM messages WHERE topic_id IN ({marks})"
        values: list[Any] = list(wanted)
        for condition, limit in ((" AND timestamp >= ?", start), (" AND timestamp < ?", stop)):
            if limit is not None:
                query += condition
                values.append(min(limit, 2**63 - 1))
        try:
            # Messages of one time keep the order in which they were recorded.
            for topic, time, data in self._database.execute(f"{query} ORDER BY timestamp, id", values):
                if not isinstance(time, int) or not isinstance(data, bytes):
                    raise ValueError("a message has no time or no content")
                yield wanted[topic], time, data
        except apsw.Error as error:
            raise ValueError(f"the SQLite file is damaged: {error}") from error

    def _open(self) -> None:
        tables = self._rows("SELECT name FROM sqlite_master WHERE type = 'table'")
        if not {("messages",), ("topics",)} <= set(tables):
            raise ValueError("the SQLite file has no tables of a bag")
        counts: dict[Any, int] = {}
        starts: list[int] = []
        ends: list[int] = []
        found = "SELECT topic_id, count(*), min(timestamp), max(timestamp) FROM messages GROUP BY topic_id"
        for topic, count, first, last in self._rows(found):
            counts[topic] = count
            starts.append(int(first))
            ends.append(int(last))
        self.message_count = sum(counts.values())
        self.start_time = min(starts, default=0)
        """Log time of the first message, ns."""
        self.end_time = max(ends, default=-1) + 1
        """Log time of the last message, ns, plus 1."""
        self.connections = self._connections(counts, ("message_definitions",) in tables)

    def _connections(self, counts: dict[Any, int], has_definitions: bool) -> list[Connection]:
        """Read the topics; older files lack some of the columns."""
        definitions: dict[str, MessageDefinition] = {}
        if has_definitions:
            stored = "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions"
            for kind, encoding, text in self._rows(stored):
                form = _DEFINITIONS.get(encoding, MessageDefinitionFormat.NONE)
                definitions[kind] = MessageDefinition(form, str(text))
        columns = [row[1] for row in self._rows("PRAGMA table_info(topics)")]
        connections: list[Connection] = []
        for row in self._rows("SELECT * FROM topics ORDER BY id"):
            topic = dict(zip(columns, row, strict=True))
            connections.append(
                Connection(
                    id=topic["id"],
                    topic=str(topic["name"]),
                    msgtype=str(topic["type"]),
                    msgdef=definitions.get(topic["type"], _NO_DEFINITION),
                    digest=str(topic.get("type_description_hash", "")),
                    msgcount=counts.get(topic["id"], 0),
                    ext=ConnectionExtRosbag2(
                        str(topic["serialization_format"]),
                        parsed_offers(topic.get("offered_qos_profiles", "")),
                    ),
                    owner=self,
                )
            )
        return connections

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        return list(self._database.execute(query))


def _connect(path: Path) -> apsw.Connection:
    """Connect to a file such that nothing is ever written."""
    log = _sibling(path, "-wal")
    journal = _sibling(path, "-journal")
    if journal.is_file() and _first_bytes(journal) == _JOURNAL_MAGIC:
        raise ValueError(
            f"its recorder was killed while it changed the file, and {journal.name} holds what must be taken "
            "back: copy both and open the copy once with the program sqlite3"
        )
    # The URI is quoted, so that # ? % and bytes that are no UTF-8 in a path stay what they are.
    uri = "file:" + quote(os.fsencode(path.absolute()))
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    try:
        if not (log.is_file() and log.stat().st_size):
            return _hardened(apsw.Connection(f"{uri}?immutable=1", flags=flags))
        if _in_use(_sibling(path, "-shm")):
            raise ValueError("it is being recorded at this moment: stop the recorder first")
        # Without locks (unix-none) the exclusive mode needs no right to write, and in the exclusive mode the
        # index of the log is kept in memory instead of the file NAME-shm.
        connection = _hardened(apsw.Connection(f"{uri}?mode=ro", flags=flags, vfs="unix-none"))
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
        return connection
    except apsw.Error as error:
        raise ValueError(f"not a readable SQLite file: {error}") from error


def _hardened(connection: apsw.Connection) -> apsw.Connection:
    """Let the content of a file call no function: it comes from others."""
    connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    return connection


def _sibling(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(_JOURNAL_MAGIC))


def _in_use(shm: Path) -> bool:
    """Return whether another process has the write-ahead log open, by the locks that SQLite sets.

    F_GETLK asks for the first lock that would be in the way of the one described: type, whence, start, length
    and process in the layout of ``struct flock`` on 64-bit Linux.
    """
    start, length = _SHM_LOCKS
    try:
        with shm.open("rb") as file:
            asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
            answer = fcntl.fcntl(file.fileno(), fcntl.F_GETLK, asked)
    except OSError:
        return False
    return bool(struct.unpack("hhqqi4x", answer)[0] != fcntl.F_UNLCK)
