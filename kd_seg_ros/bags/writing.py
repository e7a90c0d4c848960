"""Writing a new rosbag2 into a folder of any name.

rosbags puts the path of an SQLite file into a URI as it is, so that a ``#`` or ``?`` in it ends the path: the
messages then land in a file of another name. Every bag of this project is written by :class:`BagWriter`.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

from rosbags.rosbag2 import CompressionMode, StoragePlugin, Writer
from rosbags.rosbag2.storage_sqlite3 import Sqlite3Writer

STORAGES: Final = {"mcap": StoragePlugin.MCAP, "sqlite3": StoragePlugin.SQLITE3}
"""Names of file formats → rosbags' own."""


class _SqliteWriter(Sqlite3Writer):
    """rosbags' writer, with a file that is opened by its path."""

    def __init__(self, path: Path, compression: CompressionMode) -> None:
        if compression == CompressionMode.STORAGE:
            raise ValueError("SQLite files have no compression of their own")
        self.path = path / f"{path.name}.db3"
        self.conn = sqlite3.connect(os.fsencode(self.path))
        self.conn.executescript(self.SQLITE_SCHEMA)
        self.cursor = self.conn.cursor()


class BagWriter(Writer):
    """rosbags' writer; the name of the bag's folder must be UTF-8, see :func:`file_stem`."""

    STORAGE_PLUGINS = {**Writer.STORAGE_PLUGINS, StoragePlugin.SQLITE3: _SqliteWriter}  # noqa: RUF012


def file_stem(folder: Path) -> str:
    """Return the name that the files in a bag's folder begin with: the folder's, in UTF-8.

    ``metadata.yaml`` lists the files, and can hold UTF-8 only; other bytes become ``?``-like characters.
    """
    return os.fsencode(folder.name).decode("utf-8", "replace")
