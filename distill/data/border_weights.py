"""Border weights α: how much a pixel counts in the border-aware losses, by its distance to a class border.

The distance d is the exact Euclidean one between pixel centres, in pixels, to the nearest pixel of
another class: pixels on both sides of a border have d = 1. Ignored pixels count as another class; the
image edge does not. Then (the bands of the thesis)::

    d < 4 → 8,   d < 16 → 6,   d < 64 → 4,   d < 128 → 2,   else 1;   ignored → 0

An image of one class is 1 everywhere.
"""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

BANDS: Final[tuple[tuple[int, float], ...]] = ((128, 2), (64, 4), (16, 6), (4, 8))
"""(distance, weight): the weight of pixels nearer to a border than that, farthest band first."""

_FAR: Final[int] = BANDS[0][0]


def border_weights(labels: npt.NDArray[np.uint8], ignore: int = 255) -> npt.NDArray[np.float32]:
    """Weight every pixel of a label map by its distance to the nearest pixel of another class.

    :param labels: uint8 [H, W], class ids or ``ignore``.
    :return: float32 [H, W], one of 0, 1, 2, 4, 6, 8.
    :raises ValueError: if ``labels`` is not uint8 [H, W].
    """
    if labels.ndim != 2 or labels.dtype != np.uint8:
        raise ValueError(f"labels must be uint8 [H, W], not {labels.dtype} {list(labels.shape)}")
    distance = np.zeros(labels.shape, np.float32)
    for class_id in np.flatnonzero(np.bincount(labels.ravel(), minlength=256)):
        if class_id != ignore:
            _write_distance(labels == class_id, distance)
    # Every band ends at a whole number, so the distance rounded down decides it.
    return _WEIGHT_BY_DISTANCE[np.minimum(distance, _FAR).astype(np.uint8)]


def _write_distance(mask: npt.NDArray[np.bool_], distance: npt.NDArray[np.float32]) -> None:
    """Write into ``distance``, where ``mask`` holds, the distance to the nearest pixel where it does not.

    The mask's bounding box widened by one pixel is enough: the straight way from a pixel of the mask to
    any pixel outside that box leaves the mask on the box's rim at the latest.
    """
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    box = np.s_[max(y - 1, 0) : y + height + 1, max(x - 1, 0) : x + width + 1]
    window = mask[box]
    if window.all():  # one class fills the whole image: no border
        distance[box] = np.inf
        return
    inside = cv2.distanceTransform(window.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # It is 0 outside the mask, and other classes' distances are 0 inside.
    np.maximum(distance[box], inside, out=distance[box])


def _weight_table() -> npt.NDArray[np.float32]:
    table = np.ones(_FAR + 1, np.float32)
    for limit, weight in BANDS:
        table[:limit] = weight
    table[0] = 0  # only ignored pixels are at distance 0
    return table


_WEIGHT_BY_DISTANCE: Final = _weight_table()
