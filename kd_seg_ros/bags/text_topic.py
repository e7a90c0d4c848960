"""Words that a bag holds next to its images: the weather, or the names of the files they were made from."""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path

from kd_seg_ros.bags.cameras import CameraTopics
from kd_seg_ros.bags.messages import STRING, parsed_messages
from kd_seg_ros.bags.reading import chosen_connections, open_bag
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.topics import CONDITION


class TextTopic:
    """The messages of a ``std_msgs/String`` topic by log time; none where the bag has no such topic."""

    def __init__(self, bag: Path, topic: str) -> None:
        """Read all messages of the topic."""
        entries: list[tuple[int, str]] = []
        with open_bag(bag) as reader:
            kinds = {c.topic: c.msgtype for c in reader.connections}
            if kinds.get(topic) == STRING:
                for _, log_time, message in parsed_messages(reader, {topic}):
                    entries.append((log_time, str(message.data)))
        entries.sort(key=_log_time)  # a bag's files may overlap
        self._entries = entries

    def values(self) -> list[str]:
        """Return all texts in the order of their log times."""
        return [text for _, text in self._entries]

    def last(self, log_time: int) -> str | None:
        """Return the last text up to a log time (ns); None where there is none yet."""
        index = bisect_right(self._entries, log_time, key=_log_time)
        return self._entries[index - 1][1] if index else None

    def at(self, log_time: int) -> str | None:
        """Return the text of exactly this log time (ns); None where there is none."""
        index = bisect_right(self._entries, log_time, key=_log_time)
        if index and self._entries[index - 1][0] == log_time:
            return self._entries[index - 1][1]
        return None


def condition_texts(bag: Path, camera: CameraTopics, topic: str | None) -> TextTopic:
    """Read the weather along a drive.

    :param topic: a topic of ``std_msgs/String``; None: ``condition`` next to the camera's, if it is there.
    :raises UserError: if the topic named is not in the bag, or is of another type.
    """
    if topic is not None:
        with open_bag(bag) as reader:
            found = chosen_connections(reader, [topic], "--condition-topic")[0]
            if found.msgtype != STRING:
                raise UserError(f"--condition-topic {topic} is of type {found.msgtype}, not {STRING}")
    return TextTopic(bag, topic or camera.sibling(CONDITION))


def _log_time(entry: tuple[int, str]) -> int:
    return entry[0]
