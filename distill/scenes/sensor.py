"""The camera: exposure, soft optics, vignetting, noise, sRGB bytes.

Noise is Poisson–Gaussian (Foi et al., 2008): variance = a·I + b of the linear signal, Gaussian in shape.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from distill.scenes.texture import Bytes, Floats, encode


@dataclass(frozen=True)
class Sensor:
    """Exposure, optics and noise of one camera on one day."""

    exposure: float
    """Mean of the exposed image by day, or the gain where ``automatic`` is off."""
    automatic: bool
    blur: float
    """Standard deviation of the optics' point spread, pixels at 540 rows."""
    shot: float
    """Factor a of the noise: variance per linear signal."""
    read: float
    """Constant b of the noise: variance of the dark signal."""
    vignette: float
    """Share of the light that is lost in the corners, 0…1."""
    balance: tuple[float, float, float]
    """White balance: factors on R, G and B."""
    smoothing: float = 0.0
    """How far the camera removes its noise from the picture, 0…1: it keeps the edges and loses textures."""

    @classmethod
    def draw(cls, rng: np.random.Generator, *, night: bool) -> Sensor:
        """Draw a random camera, noisier at night."""
        tint = rng.normal(0, 0.035 if not night else 0.06, 2)
        return cls(
            exposure=float(rng.uniform(0.26, 0.42)) if not night else float(rng.uniform(1.6, 3.0)),
            automatic=not night,
            blur=float(rng.uniform(0.35, 0.75)),
            shot=float(rng.uniform(0.0002, 0.001) if not night else rng.uniform(0.001, 0.005)),
            read=float(rng.uniform(1e-6, 1e-5) if not night else rng.uniform(1e-5, 8e-5)),
            vignette=float(rng.uniform(0, 0.3)),
            balance=(float(1 + tint[0]), 1.0, float(1 + tint[1])),
            # By day there is little noise to remove.
            smoothing=max(0.0, float(rng.uniform(-0.5, 1))) if night else 0.0,
        )

    def expose(self, radiance: Floats, rng: np.random.Generator) -> Bytes:
        """Turn linear radiance [H,W,3] into the picture, sRGB bytes [H,W,3]."""
        height, width = radiance.shape[:2]
        signal: Floats = cv2.GaussianBlur(
            radiance, (0, 0), max(0.3, self.blur * max(height, 240) / 540)
        ).astype(np.float32, copy=False)
        gain = self.exposure
        if self.automatic:
            gain /= (
                float(np.clip(signal[:: max(1, height // 64), :: max(1, width // 64)], 0, 1.2).mean()) + 1e-3
            )
        y, x = np.linspace(-1, 1, height, dtype=np.float32), np.linspace(-1, 1, width, dtype=np.float32)
        fall = 1 - self.vignette * (x[None] ** 2 + y[:, None] ** 2) / 2
        signal *= (gain * fall)[..., None] * np.array(self.balance, np.float32)
        noise = rng.standard_normal(signal.shape, np.float32)
        signal += noise * np.sqrt(self.shot * np.clip(signal, 0, 1) + self.read)
        return self._without_noise(encode(_shoulder(signal)))

    def _without_noise(self, picture: Bytes) -> Bytes:
        """Return the picture with its noise removed by a bilateral filter (Tomasi and Manduchi, 1998)."""
        if self.smoothing == 0:
            return picture
        filtered = cv2.bilateralFilter(picture, 5, 60 * self.smoothing, 2)
        return cv2.addWeighted(picture, 1 - self.smoothing, filtered, self.smoothing, 0).astype(np.uint8)


def _shoulder(signal: Floats) -> Floats:
    """Roll highlights off above 0.7 instead of clipping them hard."""
    over = np.maximum(signal - 0.7, 0)
    return np.minimum(signal, 0.7) + 0.3 * over / (over + 0.3)
