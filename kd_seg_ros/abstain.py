"""Leaving out what the network is not sure of. No ROS in here."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def abstain(
    mask: NDArray[np.uint8], confidence: NDArray[np.uint8], threshold: float, ignore_id: int
) -> NDArray[np.uint8]:
    """Give pixels whose confidence is below a threshold the ignore id.

    :param mask: class ids [H, W]; stays as it is.
    :param confidence: round(255·p) [H, W].
    :param threshold: of p, 0…1: a pixel stays if its published confidence / 255 is not below it.
    :return: [H, W]; ``mask`` itself at a threshold of 0.
    """
    lowest = math.ceil(255 * threshold - 1e-9)  # the nearest that is not below it, rounding apart
    if lowest <= 0:
        return mask
    # Passes over bytes: 0.5 ms at 1080p, where np.where takes 9 ms and boolean indexing 11 ms.
    below = np.negative((confidence < lowest).view(np.uint8))  # 255 or 0
    return (mask & ~below) | (below & np.uint8(ignore_id))
