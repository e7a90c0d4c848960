"""How far the camera's images are from those a network was calibrated on, and whether that is too far.

The file itself computes the distance (:data:`~kd_seg_ros.inference.contract.DOMAIN_DISTANCE`): mean and
standard deviation of the channels of early feature maps, compared with those of calibration as a Mahalanobis
distance. The card holds its quantiles over images that it was not fitted on. Unlike the confidence, the
distance does not ask the network how sure it is. No ROS in here.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from threading import Lock
from typing import Final

from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.card_values import QUANTILES

LIMIT: Final = "99"
"""Percent of calibration's images that are nearer than where an image counts as unknown."""

PAUSE: Final = 10
"""After so many windows without an image, those before the pause say nothing of the next."""


def quantile_text(distance: float, card: ModelCard) -> str:
    """Say where a distance lies among those of calibration: ``at most the 95th percentile``, for example.

    :param card: of the file that told the distance; empty text if it holds no quantiles.
    """
    if not card.domain:
        return ""
    for percent in QUANTILES:
        if distance <= card.domain["quantiles"][percent]:
            return f"at most the {_ordinal(percent)} percentile"
    return f"above the {_ordinal(QUANTILES[-1])} percentile"


def _ordinal(percent: str) -> str:
    return f"{percent}th"


@dataclass(frozen=True)
class DomainState:
    """How far the last images were from those of calibration."""

    latest: float
    """Distance of the last image, 0…∞; infinite if the network's maps were not finite."""
    typical: float
    """Median over the window."""
    limit: float
    """The 99th percentile in calibration."""
    quantile: str
    """Where the last image lies among those of calibration, in words."""
    unknown: bool
    """The median is above the limit, and images have been coming for as long as the window."""


class DomainMonitor:
    """Watches the domain distance of the last seconds; may be called from any thread.

    Of images like those of calibration one in a hundred is above the limit, and of strange ones some are
    below: the median of the window decides, so that single images neither raise nor end a warning.
    """

    def __init__(self, card: ModelCard, window: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Start watching.

        :param card: with the quantiles of calibration.
        :param window: for how long images must be unknown, in seconds.
        :param clock: seconds, never running backwards.
        """
        self._card = card
        self._limit = float(card.domain["quantiles"][LIMIT])
        self._window = window
        self._clock = clock
        self._lock = Lock()
        self._frames: deque[tuple[float, float]] = deque()
        self._since, self._last = math.inf, -math.inf

    @classmethod
    def of_card(cls, card: ModelCard, window: float) -> DomainMonitor | None:
        """Watch for a model; None if its card does not say what calibration saw."""
        return cls(card, window) if card.domain else None

    def add(self, distance: float) -> None:
        """Add an image's distance."""
        with self._lock:
            self._forget()
            now = self._clock()
            if now - self._last > PAUSE * self._window:
                self._since = now
            self._last = now
            self._frames.append((now, distance if math.isfinite(distance) else math.inf))

    def state(self) -> DomainState | None:
        """Return the state over the window; None if no image is in it."""
        with self._lock:
            self._forget()
            if not self._frames:
                return None
            distances = [distance for _, distance in self._frames]
            long_enough = self._clock() - self._since >= self._window
        typical, latest = median(distances), distances[-1]
        unknown = long_enough and typical > self._limit
        return DomainState(latest, typical, self._limit, quantile_text(latest, self._card), unknown)

    def _forget(self) -> None:
        """Drop what is older than the window."""
        oldest = self._clock() - self._window
        while self._frames and self._frames[0][0] < oldest:
            self._frames.popleft()
