"""A rosbag2 that is readable at every moment while it is written, and can be resumed after any interruption.

It grows by separate files, its parts: ``NAME_0.mcap``, ``NAME_1.mcap`` and so on, as ``ros2 bag record``
splits a long recording. A part is written in the folder ``.writing``, forced to the disk (fsync) and moved to
its place; then ``metadata.yaml``, which lists the parts, is replaced at once. So at every moment the folder
is a whole bag of all parts finished. The writer's own notes stand in the same file (``custom_data``, which
other readers pass over): parts and notes cannot disagree. What a killed process leaves in ``.writing`` is
removed by the next one.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from rosbags.interfaces import Connection, Qos
from rosbags.rosbag2 import CompressionFormat, CompressionMode, Writer

from kd_seg_ros.bags.messages import METADATA_VERSION
from kd_seg_ros.bags.writing import STORAGES, BagWriter, file_stem
from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.common.files import TEMPORARY, atomic_file, reason, sync_file, sync_folder

METADATA: Final = "metadata.yaml"
NOTES: Final = "kd_seg_ros"
"""Key of the writer's notes in ``custom_data``."""

_INFORMATION: Final = "rosbag2_bagfile_information"
_WRITING: Final = ".writing"


@dataclass(frozen=True)
class Topic:
    """A topic of the bag to be written."""

    name: str
    msgtype: str
    definition: str
    """Definition of the message type, as in its .msg file."""
    digest: str
    """Hash of the type (RIHS01)."""
    offered: Sequence[Qos]


class ResumableBag:
    """A bag that is being written; as a context it gives up the part under way when it is left."""

    notes: dict[str, Any]
    """The notes that the last :meth:`commit` has stored."""

    def __init__(
        self,
        folder: Path,
        topics: Sequence[Topic],
        storage: str,
        compress: bool,
        notes: dict[str, Any],
        overwrite: bool = False,
    ) -> None:
        """Make a bag without messages, or resume one that is there.

        :param storage: a key of :data:`STORAGES`.
        :param compress: the chunks of an MCAP file by zstd.
        :param notes: for a new bag; one that is there has its own.
        :param overwrite: remove a bag that is there first. Only what was written here is ever removed.
        :raises UserError: if the folder cannot be written or another process writes it.
        """
        self._folder, self._topics, self._storage, self._compress = folder, topics, storage, compress
        self._writer: Writer | None = None
        self._connections: dict[str, Connection] = {}
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(folder)
            shutil.rmtree(folder / _WRITING, ignore_errors=True)
            if overwrite:
                for file in own_files(folder):
                    file.unlink()
            if (folder / METADATA).exists():
                self._information = read_information(folder)
                self.notes = json.loads(self._information["custom_data"][NOTES])
                self._remove_unlisted()
            else:
                self._information = _empty(storage)
                self.commit(notes)

    def write(self, topic: str, log_time: int, raw: bytes | memoryview) -> None:
        """Add a message (CDR, log time in ns) to the part under way.

        :raises UserError: if it cannot be written; what was committed is kept.
        """
        with writing(self._folder):
            if self._writer is None:
                self._begin()
            assert self._writer is not None
            self._writer.write(self._connections[topic], log_time, raw)

    def commit(self, notes: dict[str, Any]) -> None:
        """Finish the part under way, if any, and keep the notes with it.

        :raises UserError: if it cannot be written; what was committed before is kept.
        """
        information = self._information
        with writing(self._folder):
            if self._writer is not None:
                part = self._finish(self._writer)
                self._writer = None
                information = _joined(information, part)
            information = information | {"custom_data": {NOTES: json.dumps(notes)}}
            text = yaml.safe_dump({_INFORMATION: information}, sort_keys=False, allow_unicode=True)
            with atomic_file(self._folder / METADATA) as temporary:
                temporary.write_text(text, encoding="utf-8")
        self._information, self.notes = information, notes

    def __enter__(self) -> ResumableBag:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            with suppress(Exception):
                self._writer.abort()
        shutil.rmtree(self._folder / _WRITING, ignore_errors=True)
        os.close(self._lock)

    def _begin(self) -> None:
        number = len(self._information["relative_file_paths"])
        writer = BagWriter(
            self._folder / _WRITING / f"{file_stem(self._folder)}_{number}",
            version=METADATA_VERSION,
            storage_plugin=STORAGES[self._storage],
        )
        if self._compress:
            writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        writer.open()
        self._writer = writer
        self._connections = {
            topic.name: writer.add_connection(
                topic.name,
                topic.msgtype,
                msgdef=topic.definition,
                rihs01=topic.digest,
                offered_qos_profiles=topic.offered,
            )
            for topic in self._topics
        }

    def _finish(self, writer: Writer) -> dict[str, Any]:
        """Close a part and move it to its place; return its metadata."""
        # The order matters: the file is on the disk before it has its name, and has its name before
        # metadata.yaml lists it. Whatever is killed in between is removed by the next run.
        writer.close()
        part = read_information(writer.path)
        (name,) = part["relative_file_paths"]
        sync_file(writer.path / name)
        (writer.path / name).replace(self._folder / name)
        sync_folder(self._folder)
        shutil.rmtree(writer.path)
        return part

    def _remove_unlisted(self) -> None:
        """Remove a part that was moved to its place, but not yet listed."""
        for file in own_files(self._folder):
            if file.suffix != ".yaml" and file.name not in self._information["relative_file_paths"]:
                file.unlink()


@contextmanager
def writing(folder: Path) -> Any:
    """Turn the system's refusal to write into a :class:`~kd_seg_ros.common.errors.UserError`."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        why = reason(error) if isinstance(error, OSError) else first_line(error)
        raise UserError(
            f"{folder} cannot be written: {why}; the frames finished before are kept, and the same "
            "command continues after them"
        ) from error


def read_information(folder: Path) -> dict[str, Any]:
    """Read a bag's metadata.

    :raises UserError: if there is none or it cannot be read.
    """
    path = folder / METADATA
    try:
        return dict(yaml.safe_load(path.read_text(encoding="utf-8"))[_INFORMATION])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {first_line(error)}") from error


def notes_of(folder: Path) -> dict[str, Any] | None:
    """Return the notes of a bag that was written here; None for any other folder."""
    try:
        notes = json.loads(read_information(folder)["custom_data"][NOTES])
    except (UserError, KeyError, TypeError, ValueError):
        return None
    return notes if isinstance(notes, dict) else None


def own_files(folder: Path) -> list[Path]:
    """List the files of a bag that was written here."""
    start = f"{file_stem(folder)}_"
    found: list[Path] = []
    for file in sorted(folder.iterdir()):
        part = file.name.startswith(start) and file.name.endswith((".mcap", ".db3"))
        if file.is_file() and (part or file.name in (METADATA, METADATA + TEMPORARY)):
            found.append(file)
    return found


def _empty(storage: str) -> dict[str, Any]:
    return {
        "version": METADATA_VERSION,
        "storage_identifier": storage,
        "duration": {"nanoseconds": 0},
        "starting_time": {"nanoseconds_since_epoch": 0},
        "message_count": 0,
        "topics_with_message_count": [],
        "compression_format": "",
        "compression_mode": "",
        "relative_file_paths": [],
        "files": [],
        "ros_distro": "rosbags",
    }


def _joined(whole: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """Add a part's metadata to that of the bag; both have the same topics."""
    if not whole["files"]:
        return whole | {key: part[key] for key in whole if key in part}
    start, end = _span(whole)
    part_start, part_end = _span(part)
    first = min(start, part_start)
    counts = zip(whole["topics_with_message_count"], part["topics_with_message_count"], strict=True)
    return whole | {
        "duration": {"nanoseconds": max(end, part_end) - first},
        "starting_time": {"nanoseconds_since_epoch": first},
        "message_count": whole["message_count"] + part["message_count"],
        "topics_with_message_count": [
            mine | {"message_count": mine["message_count"] + other["message_count"]} for mine, other in counts
        ],
        "relative_file_paths": whole["relative_file_paths"] + part["relative_file_paths"],
        "files": whole["files"] + part["files"],
    }


def _span(information: dict[str, Any]) -> tuple[int, int]:
    start = information["starting_time"]["nanoseconds_since_epoch"]
    return start, start + information["duration"]["nanoseconds"]


def _lock(folder: Path) -> int:
    """Keep other processes out of a folder until the descriptor is closed."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise UserError(f"{folder} is being written by another process") from None
    except OSError:
        pass  # a file system without locks
    return descriptor
