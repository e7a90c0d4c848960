"""How the images' stamps lie to the node's clock, and what it means if that cannot be. No ROS in here."""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import Final

SAMPLES: Final = 20
"""Ages of the last images that are kept; one that is odd by itself, as when a bag loops, says nothing."""
FEWEST: Final = 5
AHEAD_S: Final = 0.05
"""Seconds that stamps may lie in the future without a word: clocks that are kept in step differ by less."""
OLD_S: Final = 60.0
"""Seconds from which an image is too old to have been on its way for so long."""
SINCE_START_S: Final = 10**9
"""Stamps before September 2001 count from the start of something, not from 1970."""
TAI_S: Final = (34.0, 40.0)
"""Seconds by which International Atomic Time, which PTP and GPS receivers give, is ahead of UTC: 37."""


class StampCheck:
    """Keeps the ages of the last images by their stamps."""

    def __init__(self) -> None:
        """Start without any."""
        self._ages: deque[float] = deque(maxlen=SAMPLES)
        self._stamp = 0.0

    def note(self, stamp: float, now: float) -> None:
        """Take note of an image; both in seconds, ``now`` by the node's clock."""
        if stamp < self._stamp:
            self._ages.clear()  # time has jumped back, as when a bag loops
        self._stamp = stamp
        self._ages.append(now - stamp)

    def ahead(self, simulated: bool) -> str:
        """Say that the stamps lie in the future, and whose clock is to blame; empty if they do not.

        :param simulated: the node takes the time from ``/clock``.
        """
        age = self._age()
        if age is None or age >= -AHEAD_S:
            return ""
        lead = f"the images' stamps lie {_duration(-age)} in the future of "
        if simulated:
            return (
                f"{lead}/clock: it is another recording's, or the camera is live and stamps with real time "
                "(use_sim_time:=false)"
            )
        if TAI_S[0] < -age < TAI_S[1]:
            return (
                f"{lead}this machine's clock: as far as atomic time (PTP, GPS) is ahead of UTC; set the "
                "camera or its driver to UTC"
            )
        return (
            f"{lead}this machine's clock: the camera's clock is ahead, or this machine's is behind; keep "
            "both in step (chrony, PTP)"
        )

    def old(self, simulated: bool) -> str:
        """Say that the images are older than any way takes, and what that means; empty if they are not.

        :param simulated: the node takes the time from ``/clock``.
        """
        age = self._age()
        if age is None or age <= OLD_S:
            return ""
        lead = f"the images' stamps are {_duration(age)} old: "
        if simulated:
            return f"{lead}/clock is ahead of them, as when it belongs to another recording"
        if self._stamp < SINCE_START_S:
            return f"{lead}the camera counts from its start, not from 1970; image_age_ms says nothing"
        return (
            f"{lead}a recording (use_sim_time:=true with a player's --clock gives its time), or a camera "
            "whose clock is behind; until then image_age_ms says nothing"
        )

    def _age(self) -> float | None:
        """Return the median age in seconds; None while there are too few."""
        ages = list(self._ages)  # a copy: images come in another thread
        return median(ages) if len(ages) >= FEWEST else None


def _duration(seconds: float) -> str:
    """Write a duration in the largest unit that fits."""
    for unit, length in (("days", 86400.0), ("hours", 3600.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.2f} s"
