"""Random changes of how an image looks, beyond the colour jitter: as other cameras, lenses and links show it.

Each change has a greatest strength, and each image draws its own strength of each change uniformly from none
to the greatest, so that the unchanged look stays among what is seen. They come in the order of a camera:
light (colour cast, exposure), lens (blur), sensor (noise), link (JPEG).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

Pixels: TypeAlias = npt.NDArray[Any]
"""uint8 [H, W, 3], RGB; OpenCV's own annotations promise no dtype."""

BEST_QUALITY: Final = 100
"""JPEG quality that changes an image least."""


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

    def __call__(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        """Return the image, uint8 [H, W, 3], changed; the same generator state gives the same result."""
        # All numbers are drawn first, so that one strength does not decide what another change draws.
        gains = rng.uniform(1 - self.cast, 1 + self.cast, size=3)
        power = 2 ** rng.uniform(-self.exposure, self.exposure)
        sigma = rng.uniform(0, self.blur)
        deviation = rng.uniform(0, self.noise)
        quality = round(rng.uniform(self.quality, BEST_QUALITY))
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


def _tone_table(gains: npt.NDArray[np.float64], power: float) -> Pixels:
    """Return what each value of each channel becomes by cast and exposure, uint8 [1, 256, 3]."""
    values = np.linspace(0, 1, 256)[:, None] * gains
    levels = 255 * np.clip(values, 0, 1) ** power
    return np.rint(levels).astype(np.uint8)[None]
