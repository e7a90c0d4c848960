"""From albedo to radiance: overcast daylight, the sky, and the glare of lamps.

Surfaces are Lambertian: radiance = albedo · E, with E in units where a white surface under the open sky has
radiance 1. Lamps and lit windows add emission · albedo.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from distill.scenes.canvas import Canvas
from distill.scenes.texture import Colour, Floats, linear, noise, sample

DAY_GLOW = 0.15
"""Weight of emission by day, when the camera is exposed for the sky."""


@dataclass(frozen=True)
class Daylight:
    """An overcast sky: light from above, a little from the side of the hidden sun."""

    sun: tuple[float, float, float]
    """Unit vector towards the sun."""
    share: float
    """Part of the light that comes from the sun's direction, 0…1."""
    horizon: Colour
    zenith: Colour
    clouds: float
    """Contrast of the clouds."""
    drift: tuple[float, float]
    """Where in the cloud pattern the scene lies."""

    @classmethod
    def draw(cls, rng: np.random.Generator, dullness: float) -> Daylight:
        """Draw a random sky; ``dullness`` 0 (bright overcast) … 1 (leaden)."""
        angle, height = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 1.1)
        sun = (np.cos(angle) * np.cos(height), np.sin(height), np.sin(angle) * np.cos(height))
        grey = 236 - 60 * dullness * rng.uniform(0.5, 1)
        horizon: Colour = (
            round(grey * rng.uniform(0.96, 1.01)),
            round(grey),
            round(min(255, grey * rng.uniform(1.0, 1.05))),
        )
        top = rng.uniform(0.78, 1.02)
        zenith: Colour = (
            round(horizon[0] * top * 0.98),
            round(horizon[1] * top),
            round(min(255, horizon[2] * top * 1.02)),
        )
        return cls(
            (float(sun[0]), float(sun[1]), float(sun[2])),
            float(rng.uniform(0.05, 0.3)),
            horizon,
            zenith,
            float(rng.uniform(0.0, 0.09)),
            (float(rng.random()), float(rng.random())),
        )

    def radiance(self, canvas: Canvas, glow: float = DAY_GLOW) -> Floats:
        """Return the linear radiance [H,W,3] of the scene by day; ``glow`` is the weight of emission."""
        normals = canvas.normals
        facing = np.clip(normals @ np.array(self.sun, np.float32), 0, 1)
        light = (1 - self.share) * (0.56 + 0.44 * normals[..., 1]) + self.share * 1.3 * facing
        light += np.float32(glow) * canvas.layers[..., 3]
        image = canvas.layers[..., :3] * light[..., None]
        camera, seen = canvas.camera, canvas.sky_share > 0
        sky = self.radiance_at(camera.rays[seen] / camera.range_per_depth[seen][:, None])
        image[seen] += canvas.sky_share[seen][:, None] * sky
        return image

    def radiance_at(self, directions: Floats) -> Floats:
        """Return the radiance [n,3] of the clouded sky in directions (unit vectors [n,3])."""
        up = np.clip(directions[:, 1], 0, 1)
        colour = linear(self.horizon) + (up ** np.float32(0.7))[:, None] * (
            linear(self.zenith) - linear(self.horizon)
        )
        u = directions[:, 0] * (0.12 / (up + 0.12)) * 0.6 + self.drift[0]
        clouds = sample(noise(11, 4, 5), u, up * 1.5 + self.drift[1])
        return colour * (1 + self.clouds * clouds)[:, None]


def bloom(image: Floats, strength: float, reach: float) -> Floats:
    """Add glare: light above the white level spreads in the lens (and in the air) as a sum of Gaussians.

    ``reach`` is the widest standard deviation as a share of the image height.
    """
    bright = np.clip(image - 1, 0, 40)
    height, width = bright.shape[:2]
    small = cv2.resize(bright, (max(8, width // 2), max(8, height // 2)), interpolation=cv2.INTER_AREA)
    total = np.zeros(small.shape, np.float32)
    for weight, share in ((0.5, 0.12), (0.3, 0.4), (0.2, 1.0)):
        sigma = max(0.6, reach * share * small.shape[0])
        if sigma > 4:  # wide Gaussians on a smaller image
            down = int(sigma / 2)
            tiny = cv2.resize(
                small,
                (max(4, small.shape[1] // down), max(4, small.shape[0] // down)),
                interpolation=cv2.INTER_AREA,
            )
            tiny = cv2.GaussianBlur(tiny, (0, 0), sigma / down)
            total += weight * cv2.resize(
                tiny, (small.shape[1], small.shape[0]), interpolation=cv2.INTER_LINEAR
            )
        else:
            total += weight * cv2.GaussianBlur(small, (0, 0), sigma)
    return image + strength * cv2.resize(total, (width, height), interpolation=cv2.INTER_LINEAR)
