"""Bags with something wrong in them, or unusual, as recorders, disks and users leave them.

:func:`faulty_bag` makes one by the name of its case and a seed. A case says how many images a reader must
find; ``None`` stands for any number, or a refusal in one line: damage at a random place may hit anything.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from kd_seg_ros.bags import compression
from kd_seg_ros.bags.bag_metadata import INFORMATION, METADATA
from kd_seg_ros.bags.channels import Channels
from kd_seg_ros.bags.messages import IMAGE, METADATA_VERSION, STRING, header, image_cdr, string_cdr
from kd_seg_ros.bags.writing import STORAGES, BagWriter
from kd_seg_ros.common.encodings import RGB8
from kd_seg_ros.faults.mcap_writer import McapLayout, mcap_bytes

CAMERA: Final = "/camera/image_raw"
NOTE: Final = "/note"
FRAMES: Final = 12
"""Number of images of an undamaged bag."""
START: Final = 1_700_000_000 * 10**9
PERIOD: Final = 10**8

REFUSED: Final = -1
"""In place of a number of images: a reader must refuse the bag in one line."""


@dataclass(frozen=True)
class FaultyBag:
    """A bag and what a reader must make of it."""

    path: Path
    images: int | None
    """Number of images that must be found; :data:`REFUSED`; None: any number, or a refusal."""


def faulty_bag(case: str, folder: Path, seed: int) -> FaultyBag:
    """Make the bag of a case in an empty folder.

    :param case: a key of :data:`CASES`.
    :param seed: of its pictures and of the places of damage.
    """
    return CASES[case](folder / "bag", np.random.default_rng(seed))


def whole_bag(path: Path, rng: np.random.Generator, storage: str = "mcap") -> Path:
    """Write an undamaged bag: a text and an image per time step."""
    with BagWriter(path, version=METADATA_VERSION, storage_plugin=STORAGES[storage]) as writer:
        write = Channels(writer)
        for topic, time, raw in _messages(rng):
            write((NOTE, CAMERA)[topic], (STRING, IMAGE)[topic], time, raw)
    return path


def _messages(rng: np.random.Generator) -> list[tuple[int, int, bytes]]:
    found: list[tuple[int, int, bytes]] = []
    for number in range(FRAMES):
        time = START + number * PERIOD
        pixels = rng.integers(0, 256, (8, 12, 3), np.uint8)
        found.append((0, time, string_cdr(f"frame {number}")))
        found.append((1, time, bytes(image_cdr(header(time, "camera"), pixels, RGB8))))
    return found


def _killed_recorder(path: Path, rng: np.random.Generator, metadata: bool) -> FaultyBag:
    """Leave the last images in a write-ahead log, as a recorder does that is killed."""
    made = whole_bag(path.with_name("recorded"), rng, "sqlite3")
    file = made / "recorded.db3"
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        rows = database.execute("SELECT id, topic_id, timestamp, data FROM messages WHERE id > 8").fetchall()
        database.execute("DELETE FROM messages WHERE id > 8")
        database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.executemany("INSERT INTO messages VALUES (?, ?, ?, ?)", rows)
        database.commit()
        path.mkdir()
        for end in ("", "-wal", "-shm"):  # while it is open: closing it would empty the log
            shutil.copyfile(f"{file}{end}", path / f"recorded.db3{end}")
    if metadata:
        shutil.copyfile(made / METADATA, path / METADATA)
    shutil.rmtree(made)
    return FaultyBag(path, FRAMES)


def _write_ahead_log(path: Path, rng: np.random.Generator) -> FaultyBag:
    return _killed_recorder(path, rng, metadata=True)


def _write_ahead_log_without_metadata(path: Path, rng: np.random.Generator) -> FaultyBag:
    return _killed_recorder(path, rng, metadata=False)


def _rollback_journal(path: Path, rng: np.random.Generator) -> FaultyBag:
    whole_bag(path, rng, "sqlite3")
    (path / "bag.db3-journal").write_bytes(bytes.fromhex("d9d505f920a163d7") + bytes(504))
    return FaultyBag(path, REFUSED)


def _layout(layout: McapLayout) -> Callable[[Path, np.random.Generator], FaultyBag]:
    def make(path: Path, rng: np.random.Generator) -> FaultyBag:
        path.mkdir()
        (path / "bag.mcap").write_bytes(mcap_bytes([(NOTE, STRING), (CAMERA, IMAGE)], _messages(rng), layout))
        return FaultyBag(path / "bag.mcap", FRAMES)

    return make


def _odd_topic(name: str, msgtype: str) -> Callable[[Path, np.random.Generator], FaultyBag]:
    def make(path: Path, rng: np.random.Generator) -> FaultyBag:
        path.mkdir()
        topics = [(name, msgtype), (CAMERA, IMAGE)]
        (path / "bag.mcap").write_bytes(mcap_bytes(topics, _messages(rng), McapLayout()))
        return FaultyBag(path / "bag.mcap", FRAMES)

    return make


def _metadata(change: Callable[[dict[str, Any]], None], images: int) -> Callable[..., FaultyBag]:
    def make(path: Path, rng: np.random.Generator) -> FaultyBag:
        file = whole_bag(path, rng) / METADATA
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        change(content[INFORMATION])
        file.write_text(yaml.safe_dump(content), encoding="utf-8")
        return FaultyBag(path, images)

    return make


def _counts_zero(information: dict[str, Any]) -> None:
    information["message_count"] = 0
    for topic in information["topics_with_message_count"]:
        topic["message_count"] = 0


def _no_topics(information: dict[str, Any]) -> None:
    information |= {"message_count": 0, "topics_with_message_count": []}


def _listed_twice(information: dict[str, Any]) -> None:
    information["relative_file_paths"] *= 2


def _wrong_times(information: dict[str, Any]) -> None:
    information["starting_time"]["nanoseconds_since_epoch"] = 0
    information["duration"]["nanoseconds"] = 2**60


def _in_the_folder_above(information: dict[str, Any]) -> None:
    information["relative_file_paths"] = ["../bag.mcap"]


def _other_name(information: dict[str, Any]) -> None:
    information["relative_file_paths"] = ["/etc/passwd"]


def _version_99(information: dict[str, Any]) -> None:
    information["version"] = 99


def _split(path: Path, rng: np.random.Generator) -> FaultyBag:
    """Cut the last of three files short."""
    path.mkdir()
    messages = _messages(rng)
    names = [f"bag_{number}.mcap" for number in range(3)]
    for number, name in enumerate(names):
        part = messages[number * 8 : number * 8 + 8]
        data = mcap_bytes([(NOTE, STRING), (CAMERA, IMAGE)], part, McapLayout())
        (path / name).write_bytes(data[: -int(rng.integers(1, len(data)))] if number == 2 else data)
    return FaultyBag(path, 8)


def _message_bomb(path: Path, rng: np.random.Generator) -> FaultyBag:
    """Let a message of a few kilobytes unpack to more than a message may have."""
    file = whole_bag(path, rng) / METADATA
    text = file.read_text(encoding="utf-8")
    text = text.replace("compression_format: ''", "compression_format: zstd")
    file.write_text(text.replace("compression_mode: ''", "compression_mode: message"), encoding="utf-8")
    packer = compression.zstd.ZstdCompressor()
    packed = bytearray()
    block = bytes(min(2**25, compression.LIMIT_BYTES))
    for _ in range(compression.LIMIT_BYTES // len(block) + 1):
        packed += packer.compress(block)
    packed += packer.flush()
    topics = [(NOTE, STRING), (CAMERA, IMAGE)]
    (path / "bag.mcap").write_bytes(mcap_bytes(topics, [(1, START, bytes(packed))], McapLayout()))
    return FaultyBag(path, REFUSED)


def _image_of_4_gigabytes(path: Path, rng: np.random.Generator) -> FaultyBag:
    """Let an image of a few bytes say that it has four gigabytes."""
    path.mkdir()
    messages = _messages(rng)
    for index, (topic, time, raw) in enumerate(messages):
        if topic == 1:
            start = len(raw) - 8 * 12 * 3 - 4
            messages[index] = (topic, time, raw[:start] + b"\xff\xff\xff\xff" + raw[start + 4 :])
    data = mcap_bytes([(NOTE, STRING), (CAMERA, IMAGE)], messages, McapLayout())
    (path / "bag.mcap").write_bytes(data)
    return FaultyBag(path / "bag.mcap", FRAMES)


def _damaged(storage: str, damage: str) -> Callable[[Path, np.random.Generator], FaultyBag]:
    """Return what makes a bag and damages its file (or metadata) at a place of the seed's choice."""

    def make(path: Path, rng: np.random.Generator) -> FaultyBag:
        whole_bag(path, rng, "sqlite3" if storage == "sqlite3" else "mcap")
        suffix = {"sqlite3": "db3", "mcap": "mcap", "metadata": "yaml"}[storage]
        (file,) = path.glob(f"*.{suffix}")
        data = bytearray(file.read_bytes())
        place = int(rng.integers(len(data)))
        if damage == "cut":
            del data[place:]
        elif damage == "zeros":
            data[place : place + 200] = bytes(len(data[place : place + 200]))
        elif damage == "length":
            data[place : place + 8] = b"\xff" * len(data[place : place + 8])
        else:
            for index in rng.integers(len(data), size=4):
                data[index] ^= 1 << int(rng.integers(8))
        file.write_bytes(data)
        return FaultyBag(path, None)

    return make


CASES: Final[dict[str, Callable[[Path, np.random.Generator], FaultyBag]]] = {
    "write-ahead log": _write_ahead_log,
    "write-ahead log, no metadata": _write_ahead_log_without_metadata,
    "rollback journal": _rollback_journal,
    "mcap whole": _layout(McapLayout()),
    "mcap without message index": _layout(McapLayout(message_index=False)),
    "mcap without chunk index": _layout(McapLayout(chunk_index=False)),
    "mcap without statistics": _layout(McapLayout(statistics=False)),
    "mcap without statistics and message index": _layout(McapLayout(statistics=False, message_index=False)),
    "mcap without topics in the summary": _layout(McapLayout(topics_in_summary=False)),
    "mcap without summary": _layout(McapLayout(summary=False)),
    "mcap without chunks": _layout(McapLayout(chunks=False)),
    "mcap without chunks and summary": _layout(McapLayout(chunks=False, summary=False)),
    "topic name with spaces": _odd_topic("//a b!", STRING),
    "topic name empty": _odd_topic("", STRING),
    "topic name with a digit": _odd_topic("/1a", STRING),
    "topic name with a line break": _odd_topic("/a\nerror: x", STRING),
    "type of another module": _odd_topic("/a", "this/msg/X"),
    "type with dots": _odd_topic("/a", "os.path/msg/X"),
    "type empty": _odd_topic("/a", ""),
    "metadata says 0 messages": _metadata(_counts_zero, FRAMES),
    "metadata without topics": _metadata(_no_topics, FRAMES),
    "metadata lists a file twice": _metadata(_listed_twice, FRAMES),
    "metadata with wrong times": _metadata(_wrong_times, FRAMES),
    "metadata names the folder above": _metadata(_in_the_folder_above, FRAMES),
    "metadata names another file": _metadata(_other_name, REFUSED),
    "metadata of version 99": _metadata(_version_99, REFUSED),
    "last of three files cut": _split,
    "message that unpacks to a gigabyte": _message_bomb,
    "image that says 4 gigabytes": _image_of_4_gigabytes,
    "mcap cut": _damaged("mcap", "cut"),
    "mcap with zeros": _damaged("mcap", "zeros"),
    "mcap with a wrong length": _damaged("mcap", "length"),
    "mcap with flipped bits": _damaged("mcap", "bits"),
    "sqlite cut": _damaged("sqlite3", "cut"),
    "sqlite with zeros": _damaged("sqlite3", "zeros"),
    "sqlite with flipped bits": _damaged("sqlite3", "bits"),
    "metadata cut": _damaged("metadata", "cut"),
    "metadata with flipped bits": _damaged("metadata", "bits"),
}
"""Names of the cases → functions that make them."""
