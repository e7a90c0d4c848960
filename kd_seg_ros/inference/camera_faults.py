"""Images that no network should be asked about: black, white, covered or frozen ones.

To a network they look like images: it answers them, often with a high confidence. Simple statistics tell
them. Each image is sampled to
:data:`SAMPLE`, about 7 000 pixels, and of these

- *black*: 99 of 100 are at most :data:`BLACK` (a lens cap, a camera without light or signal);
- *underexposed*: 95 of 100 are at most :data:`DARK`;
- *overexposed*: half are white, :data:`WHITE` in all three colours;
- *blocked*: their standard deviation is below :data:`FLAT`, or :data:`COVERED` of the image's :data:`TILES`
  have one below :data:`FLAT_TILE`: there is hardly anything to see;
- *frozen*: the sample is equal to that of the image before, whose stamp is another one.

The limits lie far from what weather does, see docs/node.md. A state counts once it has lasted. No ROS in
here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from threading import Lock
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

SAMPLE: Final = (63, 110)
"""Rows and columns of the pixels that are looked at."""
TILES: Final = (9, 10)
"""Rows and columns of the parts of an image that are looked at one by one."""
BLACK: Final = 24
"""Brightness, 0…255, that 99 of 100 pixels of a black image do not exceed."""
DARK: Final = 40
"""Brightness, 0…255, that 95 of 100 pixels of an underexposed image do not exceed."""
WHITE: Final = 250
"""Least value of red, green and blue, 0…255, of a pixel that is white."""
WHITE_SHARE: Final = 0.5
"""Share of white pixels from which an image is overexposed."""
FLAT: Final = 8.0
"""Standard deviation of the brightness below which an image shows nothing."""
FLAT_TILE: Final = 2.0
"""Standard deviation of the brightness below which a tile shows nothing."""
COVERED: Final = 0.6
"""Share of such tiles from which the lens counts as covered."""

LOOK_S: Final = 0.2
"""Least number of seconds between two looks at what an image shows; whether it is frozen is seen of each."""

GAP_S: Final = 10.0
"""Seconds without an image after which what was before says nothing any more."""


class CameraFault(Enum):
    """Says what is wrong with the camera's images, and what to do about it."""

    BLACK = (
        "the camera's images are black: take the cap off the lens, look at the camera's power and exposure"
    )
    UNDEREXPOSED = "the camera's images are far too dark: look at its exposure, gain and lights"
    OVEREXPOSED = "the camera's images are white over half their area: look at its exposure and gain"
    BLOCKED = (
        "there is hardly anything to be seen in the camera's images: look for something before the lens "
        "(fog in which nothing can be seen looks alike)"
    )
    FROZEN = (
        "the camera sends the same image again and again: restart it or its driver (a simulated camera that "
        "stands still does so, too: diagnostics.frozen_camera_s: 0.0)"
    )


@dataclass(frozen=True)
class FaultTimes:
    """Seconds that a state must last before it counts; 0: it never does."""

    picture: float
    """For black, dark, white and covered images."""
    frozen: float
    """For images that are equal to the one before."""


def sample(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the pixels that are looked at, uint8 [63, 110, 3].

    :param pixels: the image, uint8 [H, W, 3].
    """
    # Bilinear: four pixels of the image for each; an average over all of them takes ten times as long.
    return np.asarray(cv2.resize(pixels, SAMPLE[::-1], interpolation=cv2.INTER_LINEAR), np.uint8)


def picture_fault(seen: NDArray[np.uint8]) -> CameraFault | None:
    """Return what is wrong with one image, as far as it shows by itself; None if nothing is.

    :param seen: result of :func:`sample`.
    """
    grey = cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY)  # red and blue may be exchanged: no limit is that close
    histogram = cv2.calcHist([grey], [0], None, [256], [0, 256])[:, 0]
    below = histogram.cumsum() / grey.size
    if below[BLACK] >= 0.99:
        return CameraFault.BLACK
    if below[DARK] >= 0.95:
        return CameraFault.UNDEREXPOSED
    if 1 - below[WHITE - 1] >= WHITE_SHARE and _white_share(seen) >= WHITE_SHARE:
        return CameraFault.OVEREXPOSED
    variance, of_tiles = _variances(grey.astype(np.float32))
    if variance < FLAT**2 or float(np.mean(of_tiles < FLAT_TILE**2)) >= COVERED:
        return CameraFault.BLOCKED
    return None


def _variances(grey: NDArray[np.float32]) -> tuple[float, NDArray[np.float32]]:
    """Return the variance of all pixels of a sample, and that of each tile, float32 [9, 10]."""
    # Mean of the squares less square of the mean; averaging over areas gives the means of all tiles at once.
    means = cv2.resize(grey, TILES[::-1], interpolation=cv2.INTER_AREA)
    squares = cv2.resize(grey * grey, TILES[::-1], interpolation=cv2.INTER_AREA)
    of_tiles = np.asarray(squares - means * means, np.float32)
    return float(squares.mean() - means.mean() ** 2), of_tiles


def _white_share(seen: NDArray[np.uint8]) -> float:
    return float(np.mean(seen.min(axis=2) >= WHITE))


class CameraFaultMonitor:
    """Follows one camera's images; may be called from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin without an image.

        :param clock: seconds, never running backwards.
        """
        self._clock = clock
        self._lock = Lock()
        self._stamp = -1
        self._seen: NDArray[np.uint8] | None = None
        self._fault: CameraFault | None = None
        self._since = 0.0
        self._same_since = 0.0
        self._looked = 0.0
        self._last = 0.0

    def add(self, pixels: NDArray[np.uint8], stamp: int) -> None:
        """Look at an image.

        :param pixels: uint8 [H, W, 3].
        :param stamp: when it was taken, in nanoseconds; the same message again says nothing about the camera.
        """
        seen, now = sample(pixels), self._clock()
        with self._lock:
            if now - self._last > GAP_S:
                self._seen = self._fault = None
            before = self._seen
            if before is None or not np.array_equal(seen, before):
                self._same_since = now
            elif stamp == self._stamp:
                self._same_since += now - self._last
            if before is None or now - self._looked >= LOOK_S:  # else what was found a moment ago holds
                self._looked = now
                fault = picture_fault(seen)
                if fault is not self._fault:
                    self._fault, self._since = fault, now
            self._seen, self._stamp, self._last = seen, stamp, now

    def fault(self, times: FaultTimes) -> CameraFault | None:
        """Return what has been wrong with the images for long enough; None if nothing has.

        It says what the images show before that they are all the same.
        """
        with self._lock:
            if self._fault is not None and 0 < times.picture <= self._last - self._since:
                return self._fault
            if 0 < times.frozen <= self._last - self._same_since:
                return CameraFault.FROZEN
        return None
