"""Class maps as pictures: coloured by class, alone or over the camera image."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Palette = Sequence[tuple[int, int, int]]
"""A colour for each class id, 0…255 per channel."""


def colorize(mask: NDArray[np.uint8], palette: Palette) -> NDArray[np.uint8]:
    """Colour a class map by a lookup table.

    :param mask: class ids, uint8 [H, W].
    :param palette: RGB per class id. Ids beyond it, the ignore id among them, become black.
    :return: RGB, uint8 [H, W, 3].
    """
    table = np.zeros((256, 1, 3), np.uint8)
    table[: len(palette), 0] = palette
    return np.asarray(cv2.applyColorMap(mask, table), np.uint8)  # 5 times as fast as table[mask]


def blend(
    image: NDArray[np.uint8], mask: NDArray[np.uint8], palette: Palette, alpha: float = 0.5
) -> NDArray[np.uint8]:
    """Lay a class map over an image: (1 − alpha) · image + alpha · colour.

    Pixels with an id beyond the palette, the ignore id among them, show the image unchanged.

    :param image: RGB, uint8 [H, W, 3]; or BGR, if the palette is BGR as well.
    :param mask: class ids, uint8 [H, W].
    :param palette: RGB per class id.
    :param alpha: weight of the colours, 0…1.
    :return: channels in the image's order, uint8 [H, W, 3].
    """
    mixed = cv2.addWeighted(image, 1.0 - alpha, colorize(mask, palette), alpha, 0.0)
    unlabelled = (mask >= len(palette)).astype(np.uint8)
    return np.asarray(cv2.copyTo(image, unlabelled, mixed), np.uint8)
