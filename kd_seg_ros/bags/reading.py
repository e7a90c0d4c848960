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

    from kd_seg_ros.bags.bag_reader import BagReader

IMAGE_TYPES: Final = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")


@contextmanager
def open_bag(path: str | Path) -> Iterator[BagReader]:
    """Open a rosbag2: its folder, or a single ``.mcap`` or ``.db3`` file.

    :raises UserError: if it is missing, no bag, damaged or without messages, or if rosbags is not installed.
    """
    try:
        from kd_seg_ros.bags.bag_reader import BagReader
    except ImportError as error:  # rosdep has no key for it
        raise UserError("reading a bag needs the Python package rosbags: pip install rosbags") from error
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path}: no such bag")
    try:
        reader = BagReader(path)
    except UserError:
        raise
    except Exception as error:  # what a damaged file raises depends on where the damage is
        raise UserError(f"{path}: not a readable rosbag2: {first_line(error)}") from error
    try:
        if reader.message_count == 0:
            raise UserError(f"{path}: the bag has no messages")
        yield reader
    finally:
        reader.close()


def image_topics(reader: BagReader) -> dict[str, str]:
    """Topics of an open bag that carry camera images, with their message types."""
    return {c.topic: c.msgtype for c in reader.connections if c.msgtype in IMAGE_TYPES and c.msgcount}


def messages(
    reader: BagReader, connections: Sequence[Connection], start: int | None = None, stop: int | None = None
) -> Iterator[tuple[Connection, int, bytes]]:
    """Yield (connection, log time in ns, CDR bytes) in the order of time.

    :param start: of the first message; None: of the bag.
    :param stop: only messages before it.
    :raises UserError: if the bag turns out to be damaged; that some of all messages are missing is known at
        the end.
    """
    found, expected = 0, sum(connection.msgcount for connection in connections)
    try:
        for message in reader.messages(connections, start, stop):
            yield message
            found += 1
    except Exception as error:  # as in open_bag
        raise UserError(f"{reader.path}: the bag is damaged: {first_line(error)}") from error
    if start is None and stop is None and found < expected:  # zeros in a chunk are no error to its reader
        raise UserError(
            f"{reader.path}: the bag is damaged: {expected - found} of {expected} messages cannot be found"
        )


def chosen_connections(
    reader: BagReader, topics: Iterable[str] | None, option: str = "--topics"
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
