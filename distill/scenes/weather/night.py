"""Night: lamps instead of the sky.

Irradiance is the sum of a faint bluish sky, the camera car's headlamps and the nearest street and vehicle
lamps, each falling with the square of the distance: E = I·cos θ/d². The dipped beam is strong below the
horizon and weak above (ECE R112 cut-off). Signs send the headlamps' light back (retroreflection). Lamps,
signals and windows shine by themselves and glare in the lens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from distill.scenes.canvas import Canvas
from distill.scenes.labels import TRAFFIC_SIGN
from distill.scenes.texture import Floats, linear
from distill.scenes.weather.light import bloom

NIGHT_GLOW = 0.4
"""Weight of emission at night, when the exposure is long."""
LAMPS = 9
"""Number of the nearest street lamps that count; farther ones are seen but light nothing."""


@dataclass(frozen=True)
class Night:
    """A clear or overcast night in a lit street."""

    sky: tuple[float, float, float]
    """Linear radiance of the sky at the horizon."""
    moon: float
    """Irradiance from the sky."""
    street_lamps: float
    """Strength of the street lamps; 0 where they are off."""
    lamp_colour: tuple[float, float, float]
    headlamps: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Night:
        """Draw a random night, from the dark of a country lane to a well lit town."""
        warm = linear((255, rng.uniform(165, 235), rng.uniform(70, 215)))
        glow = linear((rng.uniform(12, 36), rng.uniform(14, 30), rng.uniform(18, 40)))
        # Most skies are black beside the lamps; few glow over a town.
        share = float(rng.uniform(0, 1)) ** 2
        return cls(
            (share * float(glow[0]), share * float(glow[1]), share * float(glow[2])),
            moon=float(rng.uniform(0.008, 0.045)),
            street_lamps=float(12 * 8 ** rng.uniform(0, 1)) if rng.random() < 0.88 else 0.0,
            lamp_colour=(float(warm[0]), float(warm[1]), float(warm[2])),
            headlamps=float(8 * 8 ** rng.uniform(0, 1)),
        )

    def radiance(self, canvas: Canvas, lamps: Sequence[tuple[npt.NDArray[np.float64], bool]]) -> Floats:
        """Return the linear radiance [H,W,3] of the scene at night.

        :param lamps: world position [3] of each lamp, and True for a street lamp, False for a headlamp.
        """
        camera, normals = canvas.camera, canvas.normals
        eye = np.array(camera.position, np.float32)
        solid = canvas.inverse_depth > 0
        depth = np.where(solid, canvas.depth, np.float32(1e4))
        points = depth[..., None] * camera.rays  # relative to the eye
        light = np.full((*depth.shape, 3), self.moon, np.float32) * np.array([0.75, 0.9, 1.25], np.float32)
        light *= (0.6 + 0.4 * normals[..., 1])[..., None]
        beam = self._beam(canvas, points, normals)
        light += beam[..., None] * np.array([1.0, 0.97, 0.88], np.float32)
        for positions, strength, colour in self._groups(lamps, eye):
            light += strength * point_lights(points, normals, positions)[..., None] * colour
        light[canvas.labels == TRAFFIC_SIGN] += 5 * beam[canvas.labels == TRAFFIC_SIGN][:, None]
        image = canvas.layers[..., :3] * (light + NIGHT_GLOW * canvas.layers[..., 3:])
        up = np.clip(camera.rays[..., 1] / camera.range_per_depth, 0, 1)[..., None]
        sky = np.array(self.sky, np.float32) * (1 - 0.8 * up**0.5)
        image += canvas.sky_share[..., None] * sky
        return bloom(image, 0.55, 0.07)

    def _beam(self, canvas: Canvas, points: Floats, normals: Floats) -> Floats:
        """Return the irradiance [H,W] from the own car's headlamps, 0.65 m above the road."""
        lamp = np.array([0, 0.65 - canvas.camera.position[1], 0.0], np.float32)
        ray = points - lamp
        squared = np.einsum("hwc,hwc->hw", ray, ray) + 1
        distance = np.sqrt(squared)
        heading = canvas.camera.yaw
        right = (ray[..., 0] * np.cos(heading) - ray[..., 2] * np.sin(heading)) / distance
        rise = ray[..., 1] / distance
        cutoff = 0.05 + 0.95 / (1 + np.exp(np.clip((rise + 0.012) / 0.008, -40, 40)))
        spread = np.exp(-((right / 0.38) ** 2)) + 0.12
        cosine = np.clip(-np.einsum("hwc,hwc->hw", ray, normals) / distance, 0, 1)
        # Rough asphalt scatters glancing light back more than a Lambertian surface.
        return (self.headlamps * cutoff * spread * (0.25 * cosine**0.5 + 0.75 * cosine) / squared).astype(
            np.float32
        )

    def _groups(
        self, lamps: Sequence[tuple[npt.NDArray[np.float64], bool]], eye: Floats
    ) -> list[tuple[Floats, float, Floats]]:
        """Return the nearest street lamps and headlamps: positions relative to the eye, strength, colour."""
        groups = []
        for street, strength, colour in (
            (True, self.street_lamps, self.lamp_colour),
            (False, 0.9, (1.0, 0.95, 0.85)),
        ):
            near = [np.asarray(place - eye, np.float32) for place, is_street in lamps if is_street == street]
            near = sorted(near, key=lambda place: float(place @ place))[: LAMPS if street else LAMPS // 2]
            if near and strength > 0:
                groups.append((np.stack(near), strength, np.array(colour, np.float32)))
        return groups


def point_lights(points: Floats, normals: Floats, lamps: Floats) -> Floats:
    """Return the irradiance Σ cos θ/d² [H,W] from lamps of unit intensity, each at most that at 1 m.

    :param points: the lit points [H,W,3], metres.
    :param normals: their unit normals [H,W,3].
    :param lamps: positions of the lamps [k,3], metres.
    """
    squared_points = np.einsum("hwc,hwc->hw", points, points)
    facing = np.einsum("hwc,hwc->hw", points, normals)
    total = np.zeros(points.shape[:2], np.float32)
    for lamp in lamps:
        squared = np.maximum(squared_points - 2 * (points @ lamp) + lamp @ lamp, 1)
        cosine = np.maximum(normals @ lamp - facing, 0)
        total += cosine / (squared * np.sqrt(squared))
    return total
