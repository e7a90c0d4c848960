"""The ``metadata.yaml`` of a bag: its files, how they are compressed, and what it says of the topics.

Counts and times are taken from the files themselves: a recorder that is killed leaves 0 here, and a file that
was cut or replaced is not noticed by what stands here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple, TypeVar

import yaml
from rosbags.interfaces import Qos

from kd_seg_ros.bags.quality import parsed_offers

METADATA: Final = "metadata.yaml"
INFORMATION: Final = "rosbag2_bagfile_information"
"""Key of all that ``metadata.yaml`` holds."""

_NEWEST_VERSION: Final = 9
_LIMIT_BYTES: Final = 64 * 2**20
_COMPRESSIONS: Final = ("", "none", "file", "message")

T = TypeVar("T")


class TopicKey(NamedTuple):
    """A topic and its message type, by which files and metadata are brought together."""

    topic: str
    msgtype: str


@dataclass(frozen=True)
class TopicEntry:
    """What the metadata say of a topic."""

    count: int
    """Number of messages."""
    encoding: str
    """Serialization format."""
    digest: str
    """Hash of the type (RIHS01); empty where it is not told."""
    offered: list[Qos]


@dataclass(frozen=True)
class BagMetadata:
    """What is used of a bag's ``metadata.yaml``."""

    files: list[str]
    """Names of its files, each once, all within the bag's folder."""
    compression: str
    """``file``, ``message`` or nothing."""
    topics: dict[TopicKey, TopicEntry]
    message_count: int


def read_metadata(folder: Path) -> BagMetadata:
    """Read the metadata of a bag.

    :raises ValueError: if they cannot be read, lack a key, or are of a version that is not known.
    :raises OSError: if the file cannot be read.
    """
    path = folder / METADATA
    if path.stat().st_size > _LIMIT_BYTES:
        raise ValueError(f"{METADATA} has more than {_LIMIT_BYTES} bytes")
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{METADATA} is no YAML file: {_first_line(error)}") from error
    information = _entry(_mapping(content, METADATA), INFORMATION, _mapping)
    version = _entry(information, "version", _number)
    if version > _NEWEST_VERSION:
        raise ValueError(f"version {version} of rosbag2 is not known; the newest known is {_NEWEST_VERSION}")
    compression = _text(information.get("compression_mode") or "", "compression_mode").lower()
    format_ = _text(information.get("compression_format") or "", "compression_format")
    if compression not in _COMPRESSIONS:
        raise ValueError(f"compression mode {compression!r} is not supported")
    if compression in ("file", "message") and format_ != "zstd":
        raise ValueError(f"compression format {format_!r} is not supported")
    return BagMetadata(
        files=_files(_entry(information, "relative_file_paths", _list)),
        compression="" if compression == "none" else compression,
        topics=_topics(_entry(information, "topics_with_message_count", _list)),
        message_count=_entry(information, "message_count", _number),
    )


def _files(listed: list[Any]) -> list[str]:
    """Return the names of files; what a path says of folders is left aside, so none leads out of the bag.

    Older versions wrote ``BAG/FILE``. A file that is listed twice is read once.
    """
    names: list[str] = []
    for item in listed:
        name = PurePosixPath(_text(item, "relative_file_paths")).name
        if name in ("", ".", ".."):
            raise ValueError("relative_file_paths of metadata.yaml has an entry that is no file")
        if name not in names:
            names.append(name)
    return names


def _topics(listed: list[Any]) -> dict[TopicKey, TopicEntry]:
    topics: dict[TopicKey, TopicEntry] = {}
    for item in listed:
        entry = _mapping(item, "topics_with_message_count")
        topic = _entry(entry, "topic_metadata", _mapping)
        key = TopicKey(_entry(topic, "name", _text), _entry(topic, "type", _text))
        count = _entry(entry, "message_count", _number)
        offered = parsed_offers(topic.get("offered_qos_profiles") or [])
        digest = _text(topic.get("type_description_hash") or "", "type_description_hash")
        if key in topics:
            count += topics[key].count
            offered = topics[key].offered + offered
        encoding = _text(topic.get("serialization_format") or "cdr", "serialization_format")
        topics[key] = TopicEntry(count, encoding, digest, offered)
    return topics


def _entry(mapping: dict[Any, Any], key: str, checked: Callable[[Any, str], T]) -> T:
    if key not in mapping:
        raise ValueError(f"{METADATA} lacks the key {key!r}")
    return checked(mapping[key], key)


def _mapping(value: Any, name: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} of {METADATA} is no mapping")
    return value


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{name} of {METADATA} is no list")
    return value


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} of {METADATA} is no text")
    return value


def _number(value: Any, name: str) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"{name} of {METADATA} is no whole number")
    return value


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
