"""The network's answer for one image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.inference.contract import CONFIDENCE, MASK, PROBABILITY


@dataclass(frozen=True)
class Prediction:
    """The network's answer for one image: arrays of one height and width."""

    mask: NDArray[np.uint8]
    """Class id of each pixel, [H, W]."""
    confidence: NDArray[np.uint8]
    """round(255 · calibrated probability of that class), [H, W]."""
    probability: NDArray[np.float32] | None = None
    """The probability itself, 0…1, [H, W]; None unless it was asked for."""
    domain_distance: float | None = None
    """How far the image is from those of calibration (:mod:`kd_seg_ros.inference.domain`); None if the file
    does not tell."""

    @classmethod
    def empty(cls, size: tuple[int, int], probability: bool = False) -> Prediction:
        """Make arrays to be written to.

        :param size: (height, width).
        """
        mask, confidence = np.empty((2, *size), np.uint8)
        return cls(mask, confidence, np.empty(size, np.float32) if probability else None)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the maps that are there, by the name of their tensor."""
        maps = {MASK: self.mask, CONFIDENCE: self.confidence, PROBABILITY: self.probability}
        return {name: array for name, array in maps.items() if array is not None}
