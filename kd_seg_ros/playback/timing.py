"""How punctual a replay was: when each message was published against when it was due. No ROS in here."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Final, NamedTuple, TextIO

import numpy as np

from kd_seg_ros.common.errors import UserError

COLUMNS: Final = ("topic", "bag_time_ns", "published_ns", "late_ms", "took_ms")


class Published(NamedTuple):
    """A message that has been published."""

    topic: str
    bag_time_ns: int
    published_ns: int
    """When the call to publish began, since 1970."""
    late_ms: float
    """How much later than due that was; never negative but for the resolution of the clock."""
    took_ms: float
    """How long the call took."""


class Timing:
    """Records when each message was published; messages stepped to by key are not timed."""

    def __init__(self) -> None:
        self.published: list[Published] = []

    def add(self, topic: str, bag_time: int, late: float, took: float) -> None:
        """Note a message that was published just now; ``late`` and ``took`` in s."""
        moment = time.time_ns() - round(took * 1e9)
        self.published.append(Published(topic, bag_time, moment, 1e3 * late, 1e3 * took))

    def percentiles(self) -> tuple[float, float, float]:
        """Return p50, p99 and the maximum of the delay, ms; there must be a message."""
        late = [message.late_ms for message in self.published]
        p50, p99 = np.percentile(late, [50, 99])
        return float(p50), float(p99), max(late)

    def summary(self) -> str:
        """Return the number of messages and the percentiles of their delay as one line of text."""
        if not self.published:
            return "no message was due"
        p50, p99, highest = self.percentiles()
        took = float(np.median([message.took_ms for message in self.published]))
        return (
            f"{len(self.published)} messages, timing error {p50:.2f} ms (p50), {p99:.2f} ms (p99), "
            f"{highest:.2f} ms (max); publishing one took {took:.2f} ms (p50)"
        )

    def write(self, file: TextIO) -> None:
        """Write a CSV with a line per message."""
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for message in self.published:
            times = f"{message.late_ms:.4f}", f"{message.took_ms:.4f}"
            writer.writerow([message.topic, message.bag_time_ns, message.published_ns, *times])


def read_timing(path: Path) -> list[Published]:
    """Read what :meth:`Timing.write` wrote.

    :raises UserError: if it is something else.
    """
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    if not rows or tuple(rows[0]) != COLUMNS:
        raise UserError(f"{path} is no table of play_bag --timing")
    return [Published(r[0], int(r[1]), int(r[2]), float(r[3]), float(r[4])) for r in rows[1:]]
