"""A bag that is open for reading: its folder with all files, or one file of it.

This is the only place where bags are opened. Topics, counts and times are those of the files; where they
differ from ``metadata.yaml``, a warning says so. A file of several that cannot be read is left out with a
warning (:attr:`BagReader.left_out`), so that a power cut does not take the files before it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from rosbags.interfaces import Connection, ConnectionExtRosbag2

from kd_seg_ros.bags.bag_metadata import METADATA, BagMetadata, TopicKey, read_metadata
from kd_seg_ros.bags.compression import ZSTD_MAGIC, unpacked_message
from kd_seg_ros.bags.mcap_file import McapFile
from kd_seg_ros.bags.mcap_records import MAGIC
from kd_seg_ros.bags.sqlite_file import SqliteFile
from kd_seg_ros.bags.unpacking import UNPACKED, is_compressed
from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.common.ros_names import is_topic_name, is_type_name

LOGGER = logging.getLogger(__name__)

STORED: Final = (".mcap", ".db3", ".mcap.zstd", ".db3.zstd")
"""Ends of the names of a bag's files."""

_SQLITE_MAGIC: Final = b"SQLite format 3\0"
_BagFile = McapFile | SqliteFile

_warned: set[str] = set()  # a command opens its bag several times, and warns once


class BagReader:
    """An open bag."""

    connections: list[Connection]
    """Its topics, each as often as it was offered in different ways."""
    left_out: list[Path]
    """Files of the bag that cannot be read."""

    def __init__(self, path: Path) -> None:
        """Open a bag.

        :raises UserError: if it cannot be read at all.
        """
        self.path = path
        self._files: list[_BagFile] = []
        self.left_out = []
        try:
            self._metadata = _metadata_of(path)
            self._open_files(self._paths())
            self.connections = self._merged()
        except BaseException:
            self.close()
            raise
        filled = [file for file in self._files if file.message_count]
        self.start_time = min((file.start_time for file in filled), default=0)
        """Log time of the first message, ns."""
        self.end_time = max((file.end_time for file in filled), default=0)
        """Log time of the last message, ns, plus 1."""
        self.message_count = sum(connection.msgcount for connection in self.connections)

    @property
    def duration(self) -> int:
        """Time between the first and the last message, ns, plus 1."""
        return self.end_time - self.start_time

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()

    def messages(
        self, connections: Collection[Connection], start: int | None = None, stop: int | None = None
    ) -> Iterator[tuple[Connection, int, bytes]]:
        """Yield connection, log time (ns) and serialised message, file by file and by log time within each.

        :param start: leave out messages before this log time.
        :param stop: leave out messages from this log time on.
        :raises ValueError: where a file is damaged; the message names it.
        """
        for file in self._files:
            wanted = {c.id: _counterpart(c, connections) for c in file.connections}
            stored = [c for c in file.connections if wanted[c.id] is not None]
            try:
                for connection, time, raw in file.messages(stored, start, stop) if stored else ():
                    found = wanted[connection.id]
                    assert found is not None
                    yield found, time, self._unpacked(raw)
            except (ValueError, OSError) as error:
                part = f"{file.path.name}: " if len(self._files) > 1 else ""
                raise ValueError(f"{part}{first_line(error)}") from error

    def _unpacked(self, raw: bytes) -> bytes:
        """Return a message as it was published; where no metadata tell, its first bytes do.

        A message in CDR begins with a zero.
        """
        mode = "" if self._metadata is None else self._metadata.compression
        if mode == "message" or (self._metadata is None and raw.startswith(ZSTD_MAGIC)):
            return unpacked_message(raw)
        return raw

    def _paths(self) -> list[Path]:
        """Return the files to read, in their order."""
        if self.path.is_file():
            return [self.path]
        found = sorted((file for file in self.path.iterdir() if _is_stored(file)), key=_natural)
        if self._metadata is None:
            if not found:
                raise UserError(f"{self.path}: no bag: neither {METADATA} nor a file ending in .mcap or .db3")
            self._warn(
                f"{METADATA} is missing: its files are read as they are (`ros2 bag reindex` writes it)"
            )
            return found
        listed = [self.path / name for name in self._metadata.files]
        if listed and not any(file.is_file() for file in listed):
            others = f"; the folder has {', '.join(file.name for file in found)}" if found else ""
            raise UserError(
                f"{self.path}: {METADATA} names {', '.join(file.name for file in listed)}, which is not "
                f"there{others} (`ros2 bag reindex` writes {METADATA} again)"
            )
        return listed

    def _open_files(self, paths: Sequence[Path]) -> None:
        """Open the files; of several, those that cannot be read are left out."""
        problems: list[str] = []
        for path in paths:
            try:
                self._files.append(open_file(path))
            except UserError:  # no room to unpack it: not the file's fault
                raise
            except Exception as error:  # what a damaged file raises depends on where the damage is
                name = f"{path.name}: " if self.path.is_dir() else ""
                problems.append(f"{name}not a readable rosbag2: {first_line(error)}{_remedy(error)}")
                self.left_out.append(path)
        if problems and not self._files:
            raise UserError(f"{self.path}: {problems[0]}")
        for problem in problems:
            self._warn(f"{problem}: left out, {len(self._files)} of {len(paths)} files are read")

    def _merged(self) -> list[Connection]:
        """Bring the topics of all files together, with what the metadata say of each."""
        stored = [c for file in self._files for c in file.connections]
        entries = {} if self._metadata is None else self._metadata.topics
        merged: dict[tuple[object, ...], Connection] = {}
        for connection in stored:
            key = TopicKey(connection.topic, connection.msgtype)
            entry = entries.get(key)
            if entry is None:
                known: tuple[str, ...] = (*key, repr(connection.ext))
            else:  # the metadata may have been edited: as for ros2 bag play, their QoS counts
                known = key
                ext = ConnectionExtRosbag2(entry.encoding, entry.offered)
                digest = connection.digest or entry.digest
                connection = connection._replace(ext=ext, digest=digest)
            if known in merged:
                count = merged[known].msgcount + connection.msgcount
                connection = merged[known]._replace(msgcount=count)
            merged[known] = connection
        self._compare_counts(merged.values())
        found = [c._replace(id=number, owner=self) for number, c in enumerate(merged.values(), 1)]
        return self._checked(self._expected(found))

    def _expected(self, connections: list[Connection]) -> list[Connection]:
        """Raise the counts to those of the metadata where the files have less, unless files are left out.

        So whoever reads all messages notices that some are missing.
        """
        if self._metadata is None or self.left_out:
            return connections
        expected: list[Connection] = []
        for connection in connections:
            entry = self._metadata.topics.get(TopicKey(connection.topic, connection.msgtype))
            count = max(connection.msgcount, entry.count if entry else 0)
            expected.append(connection._replace(msgcount=count))
        return expected

    def _compare_counts(self, connections: Iterable[Connection]) -> None:
        if self._metadata is None or self.left_out:
            return
        count = sum(connection.msgcount for connection in connections)
        told = self._metadata.message_count
        if count > told:
            self._warn(
                f"{METADATA} says {told} messages, the files have {count}, which are read "
                "(`ros2 bag reindex` corrects it)"
            )

    def _checked(self, connections: list[Connection]) -> list[Connection]:
        """Leave out topics that no ROS 2 program can have, and messages that are not in CDR.

        :raises UserError: if no topic is left.
        """
        kept: list[Connection] = []
        problems: list[str] = []
        for connection in connections:
            problem = _problem(connection)
            if problem is None:
                kept.append(connection)
            else:
                problems.append(problem)
        if problems and not kept:
            raise UserError(f"{self.path}: {problems[0]}")
        for problem in problems:
            self._warn(f"{problem}: left out")
        return kept

    def _warn(self, text: str) -> None:
        """Log a warning about this bag, once per process."""
        line = f"{self.path}: {text}"
        if line not in _warned:
            _warned.add(line)
            LOGGER.warning("%s", line)


def open_file(path: Path) -> _BagFile:
    """Open one file of a bag, whatever its name is; unpack it first if it is compressed.

    :raises UserError: if there is no room to unpack it.
    :raises Exception: if it is missing or damaged.
    """
    if not path.exists():
        raise ValueError("the file is missing")
    stored = UNPACKED.get(path) if is_compressed(path) else path
    with stored.open("rb") as content:
        head = content.read(len(_SQLITE_MAGIC))
    found: _BagFile
    if head.startswith(MAGIC):
        found = McapFile(stored)
    elif head == _SQLITE_MAGIC:
        found = SqliteFile(stored)
    else:
        raise ValueError("neither an MCAP nor an SQLite file by its first bytes" if head else "it is empty")
    found.path = path  # the name that the user knows
    return found


def _metadata_of(path: Path) -> BagMetadata | None:
    if not path.is_dir() or not (path / METADATA).exists():
        return None
    try:
        return read_metadata(path)
    except (OSError, ValueError) as error:
        problem = first_line(error)
        raise UserError(
            f"{path}: not a readable rosbag2: {problem} (`ros2 bag reindex` writes {METADATA} again)"
        ) from error


def _counterpart(stored: Connection, connections: Collection[Connection]) -> Connection | None:
    """Return the connection of the bag that one of a file belongs to; None if it is not asked for."""
    alike = [c for c in connections if (c.topic, c.msgtype) == (stored.topic, stored.msgtype)]
    exact = [c for c in alike if c.ext == stored.ext]
    return exact[0] if exact else alike[0] if alike else None


def _problem(connection: Connection) -> str | None:
    """Return what is wrong with a topic; None if nothing is."""
    if not is_topic_name(connection.topic):
        return f"{_shown(connection.topic)} is no name of a topic in ROS 2"
    if not is_type_name(connection.msgtype):
        return f"the type of {connection.topic}, {_shown(connection.msgtype)}, is no type of ROS 2"
    encoding = connection.ext.serialization_format  # type: ignore[union-attr]
    if encoding != "cdr":
        return f"the messages of {connection.topic} are {_shown(encoding)}, not cdr"
    return None


def _shown(text: str) -> str:
    """Quote a name of the bag: what cannot be printed is escaped, and what is long is cut."""
    return repr(text if len(text) <= 80 else f"{text[:80]}…")


def _is_stored(file: Path) -> bool:
    return file.name.endswith(STORED) and file.is_file()


def _natural(file: Path) -> list[tuple[bool, int, str]]:
    """Return a key that sorts bag_2 before bag_10."""
    parts = re.split(r"(\d+)", file.name)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def _remedy(error: Exception) -> str:
    """Return advice against a damage of a file, to be put after the error; empty where none is known."""
    if "end magic" in str(error) or "cut short" in str(error):
        return " (cut short? `mcap recover FILE -o OTHER` saves what can be read)"
    return ""
