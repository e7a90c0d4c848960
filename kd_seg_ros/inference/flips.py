"""How many pixels change their class from one mask to the next. No ROS in here.

A pixel is compared with the pixel at the same place, though the camera moves: the share grows with the speed
of the vehicle, and is a sign of flicker only where speed and scene are alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def flips(
    before: NDArray[np.uint8], mask: NDArray[np.uint8], classes: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which pixels can be compared, and which of them change their class, bool [H, W] each.

    :param before: class ids, uint8 [H, W]; ``mask`` those of the next frame, of the same size.
    :param classes: number of classes; pixels of ids from there on, such as 255, cannot be compared.
    """
    compared = (before < classes) & (mask < classes)
    return compared, compared & (before != mask)


class FlipShares:
    """Compares each mask of a camera with the one before."""

    def __init__(self, classes: int) -> None:
        """Begin before the first frame.

        :param classes: number of classes.
        """
        self._classes = classes
        self._before: dict[str, NDArray[np.uint8]] = {}
        self._compared = self._flipped = 0

    def add(self, camera: str, mask: NDArray[np.uint8]) -> float | None:
        """Add a frame; return which share of the pixels has another class than in the camera's last one, 0…1.

        None for a camera's first frame, one of another size than the last, and where no pixel can be
        compared.

        :param camera: names the camera.
        :param mask: class ids, uint8 [H, W].
        """
        before = self._before.get(camera)
        self._before[camera] = mask.copy()
        if before is None or before.shape != mask.shape:
            return None
        compared, flipped = flips(before, mask, self._classes)
        pixels, changed = int(np.count_nonzero(compared)), int(np.count_nonzero(flipped))
        self._compared += pixels
        self._flipped += changed
        return changed / pixels if pixels else None

    def total(self) -> float | None:
        """Return the share over all pairs of frames so far, 0…1; None where no pixel could be compared."""
        return self._flipped / self._compared if self._compared else None
