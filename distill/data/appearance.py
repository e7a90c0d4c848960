"""Random changes of how an image looks, beyond the colour jitter: as other cameras, lenses and links show it.

Each change has a greatest strength, and each image draws its own strength of each change uniformly from none
to the greatest, so that the unchanged look stays among what is seen. They come in the order of a camera:
scene (detail), light (colour cast, exposure), lens (blur), sensor (noise), link (JPEG).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

Pixels: TypeAlias = npt.NDArray[Any]
"""uint8 [H, W, 3], RGB; OpenCV's own annotations promise no dtype."""

BEST_QUALITY: Final = 100
"""JPEG quality that changes an image least."""
OCTAVES: Final = 4
"""Number of octaves of detail, from the finest on, whose strengths change."""


@dataclass(frozen=True)
class Appearance:
    """Greatest strengths of the changes; at 0, and at quality 100, a change is left out."""

    cast: float = 0.0
    """Colour cast: each channel times 1 ± this, as another white balance gives."""
    exposure: float = 0.0
    """Exposure: every value v in 0…1 becomes v to the power of 2 to the ± this; positive is darker."""
    blur: float = 0.0
    """Blur: standard deviation of the Gaussian, in pixels."""
    noise: float = 0.0
    """Sensor noise: standard deviation, in levels of 0…255."""
    quality: int = BEST_QUALITY
    """Least JPEG quality, 1…100."""
    detail: float = 0.0
    """Strength of textures: each of the four finest octaves of the image times 1 ± this."""

    def __call__(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        """Return the image, uint8 [H, W, 3], changed; the same generator state gives the same result."""
        # All numbers are drawn first, so that one strength does not decide what another change draws.
        gains = rng.uniform(1 - self.cast, 1 + self.cast, size=3)
        power = 2 ** rng.uniform(-self.exposure, self.exposure)
        sigma = rng.uniform(0, self.blur)
        deviation = rng.uniform(0, self.noise)
        quality = round(rng.uniform(self.quality, BEST_QUALITY))
        factors = rng.uniform(1 - self.detail, 1 + self.detail, size=OCTAVES)
        if self.detail:
            image = scale_octaves(image, factors)
        if self.cast or self.exposure:
            image = cv2.LUT(image, _tone_table(gains, power))
        if sigma > 0:
            image = cv2.GaussianBlur(image, (0, 0), sigma)
        if deviation > 0:
            noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(deviation)
            image = np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)
        if quality < BEST_QUALITY:
            # OpenCV's encoder expects blue first: with red first it would thin out other colours.
            blue_first = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
            encoded = cv2.imencode(".jpg", blue_first, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            unpacked = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
            image = cv2.cvtColor(unpacked, cv2.COLOR_BGR2RGB)
        return image


def scale_octaves(image: Pixels, factors: Sequence[float] | npt.NDArray[np.float64]) -> Pixels:
    """Return the image with each octave of its detail times a factor.

    An octave is what a step of the Laplacian pyramid (Burt and Adelson, 1983) takes away: the image less its
    blurred half, enlarged again. With all factors 1 the image stays as it is.

    :param image: uint8 [H, W, 3].
    :param factors: one for each octave, the finest first.
    :return: uint8 [H, W, 3], rounded and clipped to 0…255.
    """
    coarse: npt.NDArray[np.float32] = image.astype(np.float32)
    changes = []
    for factor in factors:
        finer, coarse = coarse, np.asarray(cv2.pyrDown(coarse), np.float32)
        octave = finer - _enlarged(coarse, finer.shape)
        changes.append((factor - 1) * octave)
    # What the octaves change is added up from the coarsest to the finest.
    change = changes[-1]
    for finer_change in reversed(changes[:-1]):
        change = finer_change + _enlarged(change, finer_change.shape)
    return np.clip(np.rint(image + change), 0, 255).astype(np.uint8)


def _enlarged(coarse: npt.NDArray[np.float32], shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Return the image, twice as large in both directions, as high and wide as ``shape`` tells."""
    return np.asarray(cv2.pyrUp(coarse.astype(np.float32), dstsize=(shape[1], shape[0])), np.float32)


def _tone_table(gains: npt.NDArray[np.float64], power: float) -> Pixels:
    """Return what each value of each channel becomes by cast and exposure, uint8 [1, 256, 3]."""
    values = np.linspace(0, 1, 256)[:, None] * gains
    levels = 255 * np.clip(values, 0, 1) ** power
    return np.rint(levels).astype(np.uint8)[None]
