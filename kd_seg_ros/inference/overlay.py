"""Class maps as pictures: coloured by class, alone or over the camera image.

Classes whose colours some readers confuse are hatched, see :mod:`kd_seg_ros.inference.colour_vision`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.inference.colour_vision import ClassMark, Palette


def colorize(mask: NDArray[np.uint8], palette: Palette, marks: Sequence[ClassMark] = ()) -> NDArray[np.uint8]:
    """Colour a class map by a lookup table, and hatch classes.

    :param mask: class ids, uint8 [H, W].
    :param palette: RGB per class id. Ids beyond it, the ignore id among them, become black.
    :param marks: how each class is hatched, see
        :func:`~kd_seg_ros.inference.colour_vision.class_marks`; none: no class is.
    :return: RGB, uint8 [H, W, 3].
    """
    coloured = _look_up(mask, palette)
    if not any(mark.pattern for mark in marks):
        return coloured
    # Bit n of the hatching is set where pattern n has a stroke, bit n of a class if it has that pattern.
    bits, strokes = np.zeros(256, np.uint8), np.zeros((256, 3), np.uint8)
    for number, mark in enumerate(marks):
        bits[number] = 1 << (mark.pattern - 1) if mark.pattern else 0
        strokes[number] = mark.stroke
    struck = cv2.bitwise_and(np.asarray(cv2.LUT(mask, bits)), hatching(*mask.shape))
    return np.asarray(cv2.copyTo(_look_up(mask, strokes.tolist()), struck, coloured), np.uint8)


def blend(
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    palette: Palette,
    alpha: float = 0.5,
    marks: Sequence[ClassMark] = (),
) -> NDArray[np.uint8]:
    """Lay a class map over an image: (1 − alpha) · image + alpha · colour.

    Pixels with an id beyond the palette, the ignore id among them, show the image unchanged.

    :param image: RGB, uint8 [H, W, 3]; or BGR, if the palette is BGR as well.
    :param mask: class ids, uint8 [H, W].
    :param palette: RGB per class id.
    :param alpha: weight of the colours, 0…1.
    :param marks: how each class is hatched; none: no class is.
    :return: channels in the image's order, uint8 [H, W, 3].
    """
    mixed = cv2.addWeighted(image, 1.0 - alpha, colorize(mask, palette, marks), alpha, 0.0)
    unlabelled = (mask >= len(palette)).astype(np.uint8)
    return np.asarray(cv2.copyTo(image, unlabelled, mixed), np.uint8)


@lru_cache(maxsize=4)
def hatching(height: int, width: int) -> NDArray[np.uint8]:
    """Return which patterns have a stroke at each pixel: pattern n is bit n − 1; uint8 [H, W], not writable.

    1 and 2 are diagonal lines, 3 and 4 horizontal and vertical ones, 5 and 6 crosses of the two kinds, 7 dots
    and 8 wide vertical bars. Their period grows with the picture's width, so that they are still seen when it
    is shown small.
    """
    period = max(6, 2 * round(width / 200))
    thick = max(2, round(period / 4))
    x, y = np.arange(width)[None], np.arange(height)[:, None]
    rising, falling = (x + y) % period < thick, (x - y) % period < thick
    level, upright = y % period < thick, x % period < thick
    dots = (x % period < 2 * thick) & (y % period < 2 * thick)
    bars = x % (2 * period) < period
    planes = (rising, falling, level, upright, rising | falling, level | upright, dots, bars)
    packed = np.zeros((height, width), np.uint8)
    for bit, plane in enumerate(planes):
        packed |= plane.astype(np.uint8) << bit
    packed.flags.writeable = False
    return packed


def _look_up(mask: NDArray[np.uint8], colours: Sequence[Sequence[int]]) -> NDArray[np.uint8]:
    """Give each pixel the colour of its class; ids beyond the colours become black."""
    table = np.zeros((256, 1, 3), np.uint8)
    table[: len(colours), 0] = colours
    return np.asarray(cv2.applyColorMap(mask, table), np.uint8)  # 5 times as fast as table[mask]
