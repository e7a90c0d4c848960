"""The messages of an MCAP file without chunks, by log time."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy as np

from kd_seg_ros.bags.mcap_records import StoredMessage


class LooseMessages:
    """Messages that lie in no chunk, kept small: there may be millions."""

    def __init__(self) -> None:
        self._channels, self._times = array("H"), array("Q")
        self._offsets, self._lengths = array("Q"), array("Q")

    def add(self, message: StoredMessage) -> None:
        """Keep where a message lies."""
        self._channels.append(message.channel)
        self._times.append(message.time)
        self._offsets.append(message.offset)
        self._lengths.append(message.length)

    def span(self) -> list[int]:
        """Return the first and the last log time, ns; nothing where there are no messages."""
        return [min(self._times), max(self._times)] if self._times else []

    def by_time(self) -> Iterator[StoredMessage]:
        """Yield the messages by log time, those of equal times as they lie in the file."""
        for index in np.argsort(np.array(self._times, np.uint64), kind="stable"):
            yield StoredMessage(
                self._channels[index], self._times[index], self._offsets[index], self._lengths[index]
            )
