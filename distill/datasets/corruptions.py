"""Images spoilt as cameras spoil them: out of focus, noisy, dirty, wrongly exposed, mounted upside down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""RGB image, uint8 [H, W, 3]."""


def blurred(image: Image, rng: np.random.Generator) -> Image:
    """Blur as a lens out of focus does: a Gaussian of 1 to 3 % of the image's height."""
    sigma = rng.uniform(0.01, 0.03) * image.shape[0]
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)


def noisy(image: Image, rng: np.random.Generator) -> Image:
    """Add a sensor's noise, normal with a standard deviation of 15 to 40 levels."""
    return _bytes(image + rng.normal(0, rng.uniform(15, 40), image.shape))


def occluded(image: Image, rng: np.random.Generator) -> Image:
    """Cover a rectangle of a quarter to a half of the image's area, as mud or a sticker on the lens does."""
    height, width = image.shape[:2]
    side = np.sqrt(rng.uniform(0.25, 0.5))
    rows, columns = int(side * height), int(side * width)
    top, left = int(rng.integers(0, height - rows + 1)), int(rng.integers(0, width - columns + 1))
    result = image.copy()
    result[top : top + rows, left : left + columns] = rng.integers(0, 60, 3)
    return result


def dirty(image: Image, rng: np.random.Generator) -> Image:
    """Lay 20 to 60 blurred spots of brown dirt over the image."""
    height, width = image.shape[:2]
    cover = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(20, 60))):
        place = int(rng.integers(0, width)), int(rng.integers(0, height))
        radius = max(1, int(rng.uniform(0.02, 0.06) * height))
        cv2.circle(cover, place, radius, float(rng.uniform(0.5, 1)), cv2.FILLED)
    cover = np.asarray(cv2.GaussianBlur(cover, (0, 0), 0.015 * height), np.float32)[..., None]
    return _bytes(image * (1 - cover) + cover * np.array([70, 60, 45]))


def compressed(image: Image, rng: np.random.Generator) -> Image:
    """Encode and decode as JPEG of quality 3 to 10, as on a bad link."""
    quality = int(rng.integers(3, 11))
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)


def dark(image: Image, rng: np.random.Generator) -> Image:
    """Expose 4 to 12 times too short."""
    return _bytes(image / rng.uniform(4, 12))


def bright(image: Image, rng: np.random.Generator) -> Image:
    """Expose 2 to 4 times too long: most of the image is white."""
    return _bytes(image * rng.uniform(2, 4))


def upside_down(image: Image, _rng: np.random.Generator) -> Image:
    """Turn by 180°, as a camera mounted the wrong way round; nothing is random."""
    return np.ascontiguousarray(image[::-1, ::-1])


CORRUPTIONS: Final[Mapping[str, Callable[[Image, np.random.Generator], Image]]] = {
    "blur": blurred,
    "noise": noisy,
    "occluded lens": occluded,
    "dirty lens": dirty,
    "JPEG": compressed,
    "too dark": dark,
    "too bright": bright,
    "upside down": upside_down,
}
"""Name → what spoils an image, uint8 [H, W, 3], with random numbers."""


def corrupt(name: str, image: Image, labels: Image, rng: np.random.Generator) -> tuple[Image, Image]:
    """Spoil an image; its labels, uint8 [H, W], move with it.

    :param name: a key of :data:`CORRUPTIONS`.
    """
    spoilt = CORRUPTIONS[name](image, rng)
    if name == "upside down":
        labels = np.ascontiguousarray(labels[::-1, ::-1])
    return spoilt, labels


def _bytes(values: NDArray[np.floating[Any]]) -> Image:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)
