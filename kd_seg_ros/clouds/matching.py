"""Putting messages of several topics together by their stamps. No ROS in here.

The maps of a frame have one stamp. Depth comes with a stamp of its own, the same or a little apart, and
mostly earlier than the maps, by as long as the network takes: some of it is kept until then.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

KEPT_MAPS: Final = 4
"""Frames of which one map has come and the other has not yet."""
KEPT_DEPTHS: Final = 30
"""Depths that are kept for maps to come: a second of 30 per second."""


class Match(NamedTuple):
    """Messages of one moment."""

    mask: Any
    confidence: Any
    """None where only masks are listened to."""
    depth: Any
    """None where no depth is needed."""


@dataclass
class MatchCounts:
    """What has become of the frames."""

    matched: int = 0
    without_depth: int = 0
    """Frames whose two maps came, but no depth within the tolerance."""


class StampMatcher:
    """Finds the depth for each frame of maps; takes messages in any order, and forgets what is old.

    Stamps are in nanoseconds.
    """

    def __init__(
        self,
        tolerance: int = 0,
        max_bytes: int = 0,
        *,
        kinds: tuple[str, ...] = ("mask", "confidence"),
        with_depth: bool = False,
    ) -> None:
        """Begin empty.

        :param tolerance: nanoseconds that the stamps of maps and depth may differ.
        :param max_bytes: memory that kept depths may take; the newest is kept whatever it takes.
        :param kinds: the maps that make a frame, ``mask`` among them.
        :param with_depth: a frame is complete with a depth only; without, its depth is None.
        """
        self.kinds = kinds
        self.counts = MatchCounts()
        self._tolerance = tolerance
        self._max_bytes = max_bytes
        self._with_depth = with_depth
        self._maps: OrderedDict[int, dict[str, Any]] = OrderedDict()
        self._depths: OrderedDict[int, Any] = OrderedDict()
        self._waiting: tuple[int, Any, Any] | None = None

    def add_map(self, kind: str, stamp: int, message: Any) -> Match | None:
        """Take a map in; return the match if it completes one.

        :param kind: one of ``kinds``.
        """
        frame = self._maps.setdefault(stamp, {})
        frame[kind] = message
        if len(frame) < len(self.kinds):
            while len(self._maps) > KEPT_MAPS:
                self._maps.popitem(last=False)
            return None
        del self._maps[stamp]
        confidence = frame.get("confidence")
        if not self._with_depth:
            return self._matched(frame["mask"], confidence, None)
        if self._waiting is not None:  # a newer frame is here: the older one gets no depth any more
            self.counts.without_depth += 1
        self._waiting = (stamp, frame["mask"], confidence)
        return self._match_waiting()

    def add_depth(self, stamp: int, message: Any) -> Match | None:
        """Take a depth in; return the match if a frame has waited for it."""
        self._depths[stamp] = message
        self._depths.move_to_end(stamp)
        while len(self._depths) > KEPT_DEPTHS or (len(self._depths) > 1 and self._size() > self._max_bytes):
            self._depths.popitem(last=False)
        return self._match_waiting()

    def gap(self) -> int | None:
        """Return by how many nanoseconds the waiting frame misses its nearest depth; None without either."""
        if self._waiting is None or not self._depths:
            return None
        stamp = self._waiting[0]
        return min(abs(other - stamp) for other in self._depths)

    def clear(self) -> None:
        """Forget all messages, as when nobody listens or the sender has started again."""
        self._maps.clear()
        self._depths.clear()
        self._waiting = None

    def _match_waiting(self) -> Match | None:
        """Return the frame that waits with the nearest depth, if that is near enough."""
        if self._waiting is None or not self._depths:
            return None
        stamp, mask, confidence = self._waiting
        nearest = min(self._depths, key=lambda other: abs(other - stamp))
        if abs(nearest - stamp) > self._tolerance:
            return None
        self._waiting = None
        depth = self._depths[nearest]
        for older in [other for other in self._depths if other < nearest]:
            del self._depths[older]
        return self._matched(mask, confidence, depth)

    def _matched(self, mask: Any, confidence: Any, depth: Any) -> Match:
        self.counts.matched += 1
        return Match(mask, confidence, depth)

    def _size(self) -> int:
        """Return the bytes of all depths."""
        return sum(len(message.data) for message in self._depths.values())
