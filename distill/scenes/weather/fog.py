"""Fog by Koschmieder's law (H. Koschmieder, 1924; used for images by Sakaridis et al., 2018).

I = J·t + A·(1 − t) with t = exp(−β·r): J the clear radiance, A the airlight (the radiance of the horizon),
r the range along the ray in metres, β the extinction coefficient per metre.

The visibility V is where a black object's contrast to the horizon has fallen to 2 %, Koschmieder's threshold:
exp(−β·V) = 0.02, so β = 3.912/V. (The meteorological optical range uses 5 %: MOR = 2.996/β = 0.766·V.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from distill.scenes.canvas import Canvas
from distill.scenes.texture import Floats, linear
from distill.scenes.weather.light import Daylight, bloom

CONTRAST_THRESHOLD = 0.02
WIRE = 0.02
"""Linear radiance of a wire, dark against the sky."""


def extinction(visibility: float) -> float:
    """Return the extinction coefficient β (1/m) of a visibility in metres."""
    return float(-np.log(CONTRAST_THRESHOLD) / visibility)


def transmission(ray_length: Floats, beta: float) -> Floats:
    """Return the share t of the light that crosses a range (metres, infinite for the sky), 0…1."""
    return np.exp(-np.float32(beta) * ray_length)


def koschmieder(radiance: Floats, ray_length: Floats, beta: float, airlight: Floats) -> Floats:
    """Return the radiance [H,W,3] seen through fog; ``airlight`` is a colour [3]."""
    share = transmission(ray_length, beta)[..., None]
    clear = np.where(share > 0, radiance, np.float32(0))
    return clear * share + airlight * (1 - share)


def ray_length(canvas: Canvas) -> Floats:
    """Return the range of each pixel in metres, [H,W]."""
    return canvas.depth * canvas.camera.range_per_depth


def hang_wires(image: Floats, canvas: Canvas, beta: float) -> Floats:
    """Return the radiance [H,W,3] with the canvas' wires, veiled by the air between: they have no depth of
    their own, so that :func:`koschmieder` takes those before the sky for infinitely far.
    """
    cover, inverse_depth = canvas.wires[..., 0], canvas.wires[..., 1]
    distance = canvas.camera.range_per_depth / np.maximum(inverse_depth, np.float32(1e-4))
    share = cover * transmission(distance, beta)
    return image + share[..., None] * (np.float32(WIRE) - image)


@dataclass(frozen=True)
class Fog:
    """Fog of one visibility and colour under an overcast sky."""

    sky: Daylight
    visibility: float
    """Visibility V in metres."""
    airlight: tuple[float, float, float]
    """Linear radiance A of the horizon, R, G and B."""

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Fog:
        """Draw a random fog: thick to thin, grey, sometimes bluish or brownish."""
        visibility = float(np.exp(rng.uniform(np.log(70), np.log(450))))
        grey = rng.uniform(150, 225)
        colour = linear((grey * rng.uniform(0.96, 1.02), grey, grey * rng.uniform(0.98, 1.06)))
        return cls(
            Daylight.draw(rng, 0.6), visibility, (float(colour[0]), float(colour[1]), float(colour[2]))
        )

    def radiance(self, canvas: Canvas) -> Floats:
        """Return the linear radiance [H,W,3] of the scene in fog; lamps keep a halo."""
        clear = self.sky.radiance(canvas)
        beta = extinction(self.visibility)
        air = np.array(self.airlight, np.float32)
        image = hang_wires(koschmieder(clear, ray_length(canvas), beta, air), canvas, beta)
        return bloom(image, 0.25, 0.03)
