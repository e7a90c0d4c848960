"""Opening a rosbag2 and reading its messages; what is wrong with it ends in one line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.common.suggest import did_you_mean

if TYPE_CHECKING:
    from rosbags.interfaces import Connection
    from rosbags.rosbag2 import Reader

IMAGE_TYPES: Final = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")


@contextmanager
def open_bag(path: str | Path) -> Iterator[Reader]:
    """Open a rosbag2: its folder, or a single ``.mcap`` or ``.db3`` file.

    :raises UserError: if it is missing, no bag, damaged or without messages, or if rosbags is not installed.
    """
    try:
        from rosbags.rosbag2 import Reader
    except ImportError as error:  # rosdep has no key for it
        raise UserError("reading a bag needs the Python package rosbags: pip install rosbags") from error
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path}: no such bag")
    try:
        reader = Reader(path)
        reader.open()
    except Exception as error:  # what a damaged file raises depends on where the damage is
        raise UserError(f"{path}: not a readable rosbag2: {first_line(error)}{_remedy(error)}") from error
    try:
        if reader.message_count == 0:
            raise UserError(f"{path}: the bag has no messages")
        yield reader
    finally:
        reader.close()


def image_topics(reader: Reader) -> dict[str, str]:
    """Topics of an open bag that carry camera images, with their message types."""
    return {c.topic: c.msgtype for c in reader.connections if c.msgtype in IMAGE_TYPES and c.msgcount}


def messages(
    reader: Reader, connections: Sequence[Connection], start: int | None = None, stop: int | None = None
) -> Iterator[tuple[Connection, int, bytes]]:
    """Yield (connection, log time in ns, CDR bytes) in the order of time.

    :param start: of the first message; None: of the bag.
    :param stop: only messages before it.
    :raises UserError: if the bag turns out to be damaged.
    """
    try:
        for connection, stamp, raw in reader.messages(_as_stored(reader, connections), start, stop):
            yield connection, stamp, bytes(raw)
    except Exception as error:  # as in open_bag
        raise UserError(f"{reader.path}: the bag is damaged: {first_line(error)}") from error


def _as_stored(reader: Reader, connections: Sequence[Connection]) -> list[Connection]:
    """Add each connection as the files of a folder have it.

    Where metadata.yaml tells another QoS than they do, as after an edit by hand, rosbags passes over the
    messages. ``ros2 bag play`` takes that QoS as an override.
    """
    wanted = {(c.topic, c.msgtype): c for c in connections}
    files = getattr(reader.storage, "storages", ())
    stored = [(c, wanted.get((c.topic, c.msgtype))) for file in files for c in file.connections]
    changed = [known._replace(ext=c.ext) for c, known in stored if known and c.ext != known.ext]
    return [*connections, *changed]


def chosen_connections(
    reader: Reader, topics: Iterable[str] | None, option: str = "--topics"
) -> list[Connection]:
    """Return the bag's connections of these topics, or all.

    :param option: option that named the topics, for the error message.
    :raises UserError: for a topic the bag does not have, naming the nearest.
    """
    known = {c.topic for c in reader.connections}
    wanted = known if topics is None else set(topics)
    for topic in sorted(wanted - known):
        raise UserError(f"{option} {topic}: {not_among(topic, known, str(reader.path))}")
    return [c for c in reader.connections if c.topic in wanted]


def not_among(name: str, known: Iterable[str], where: str) -> str:
    """Say that a name is not among those known, and which it may have meant."""
    names = sorted(known)
    return f"not in {where}, which has {', '.join(names)}{did_you_mean(name, names)}"


def _remedy(error: Exception) -> str:
    """Return advice against a damage of the bag, to be put after the error; empty where none is known."""
    text = str(error)
    if "end magic" in text or "footer" in text:
        return " (cut short? `mcap recover FILE -o OTHER` saves what can be read)"
    if "metadata file" in text:
        return " (`ros2 bag reindex` writes it again, or give the .mcap or .db3 file itself)"
    return ""
