"""Border weights α: how much each pixel counts in the border-aware losses, by its distance to a class border.

The distance d is the exact Euclidean one between pixel centres, in pixels, to the nearest pixel of
another class: pixels on both sides of a border have d = 1. Ignored pixels count as another class; the
image edge does not. Then (the bands of the thesis)::

    d < 4 → 8,   d < 16 → 6,   d < 64 → 4,   d < 128 → 2,   else 1;   ignored → 0

An image of one class is 1 everywhere.

Only the bands are computed, in whole numbers, for all classes at once. With h(p) the distance along its row
from a pixel p to the nearest pixel of another class, and v(p) that along its column, d(x) < t just where ::

    v(x) < t   or   (x − p)² + h(p)² < t²  for some p in the column of x.

A p of another class than x, or beyond such a pixel, changes nothing: v(x) ≤ |x − p| < t then. Solved for
|x − p|, this gives every pixel a reach of whole rows up and down, and x is in the band where some reach
covers it. That takes O(H·W·log t), whatever the number of classes and the shape of their regions. (First the
rows, then the columns: the distance transform of Meijster, Roerdink and Hesselink, ISMM 2000.)

One ``cv2.distanceTransform(…, DIST_L2, DIST_MASK_PRECISE)`` per class gives the same weights: it takes the
root of the whole number d² < 2²⁴ in float32, and that is below a whole t just where d² < t².
"""

from math import isqrt
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

BANDS: Final[tuple[tuple[int, float], ...]] = ((128, 2), (64, 4), (16, 6), (4, 8))
"""(distance in pixels, weight of the pixels nearer to a border than that), farthest band first."""

_FAR: Final[int] = BANDS[0][0]
"""Distances from here on have the same weight; int8 counts down from 127, so it cannot exceed 128."""
_COLUMN_BORDER: Final[int] = 128
"""Bit of a pixel with v = 1; the seven bits below it hold max(128 − h, 0)."""


def border_weights(labels: npt.NDArray[np.uint8], ignore: int = 255) -> npt.NDArray[np.float32]:
    """Weight every pixel of a label map by its distance to the nearest pixel of another class.

    :param labels: uint8 [H, W], class ids or ``ignore``.
    :return: float32 [H, W], one of 0, 1, 2, 4, 6, 8.
    :raises ValueError: if ``labels`` is not uint8 [H, W].
    """
    if labels.ndim != 2 or labels.dtype != np.uint8:
        raise ValueError(f"labels must be uint8 [H, W], not {labels.dtype} {list(labels.shape)}")
    # Along the rows, on the transposed map: max(128 − h, 0), 127 next to another class and one less per step.
    row_nearness = _next_to_another(labels.T).astype(np.int8) * np.int8(_FAR - 1)
    _spread(row_nearness, _FAR)
    # One byte holds what the tables need of a pixel: its h in seven bits, and whether v = 1 in the eighth.
    pixels = row_nearness.T.view(np.uint8) + _next_to_another(labels) * np.uint8(_COLUMN_BORDER)
    # For each band, nearest last: the rows that each pixel reaches, spread up and down its column. A pixel
    # that some reach covers (≥ 0) is in the band.
    band = np.ones(labels.shape, np.uint8)
    for (limit, _), table in zip(BANDS, _REACH, strict=True):
        reach = np.asarray(cv2.LUT(pixels, table), np.int8)
        _spread(reach, limit)
        band += reach >= 0
    band *= labels != ignore
    return np.asarray(cv2.LUT(band, _WEIGHT), np.float32)


def _next_to_another(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return bool [H, W]: the pixel above or below is of another class."""
    differs = labels[1:] != labels[:-1]
    found = np.zeros_like(labels, np.bool_)
    found[1:] = differs
    found[:-1] |= differs
    return found


def _spread(values: npt.NDArray[np.int8], limit: int) -> None:
    """Replace each value, in place, by the greatest of (value j rows away) − j, 0 ≤ j < ``limit`` = 2ⁿ."""
    step = 1
    while step < limit:
        lower = values - np.int8(step)
        np.maximum(values[step:], lower[:-step], out=values[step:])
        np.maximum(values[:-step], lower[step:], out=values[:-step])
        step *= 2


def _reach_table(limit: int) -> npt.NDArray[np.int8]:
    """Build the table of the rows up and down that a pixel reaches in one band, by the byte of its h and v.

    :param limit: distance of the band in pixels.
    :return: int8 [256]; −1: the pixel is not in the band by its own h or v.
    """
    table = np.full(256, -1, np.int8)
    for distance in range(1, min(limit, _FAR)):
        table[[_FAR - distance, _FAR - distance + _COLUMN_BORDER]] = isqrt(limit**2 - distance**2 - 1)
    # Next to another class in its column, v is 1 here, 2 in the next row, …
    table[_COLUMN_BORDER:] = np.maximum(table[_COLUMN_BORDER:], limit - 2)
    return table


_REACH: Final = [_reach_table(limit) for limit, _ in BANDS]
"""Table of each band, in the order of :data:`BANDS`."""
_WEIGHT: Final = np.zeros(256, np.float32)
_WEIGHT[1 : len(BANDS) + 2] = [1, *(weight for _, weight in BANDS)]
"""Weight by the number of bands that a pixel is in, plus 1; 0 is ignored."""
