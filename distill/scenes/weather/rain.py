"""Rain: dark and mirroring ground, haze, streaks of falling drops, a wet windscreen.

*Wet ground* reflects by Schlick's approximation of Fresnel's law, R = R0 + (1 − R0)(1 − cos θ)^5 with
R0 = 0.02 for water, and its albedo falls because light is trapped in the film (Lekner & Dorf, 1988). What a
ground pixel mirrors is found by mirroring its image column about the row where the ground meets what stands
on it; for upright things on level ground that is exact.

*Streaks*: a drop of diameter D falls at v = 9.65 − 10.3·exp(−0.6·D/mm) m/s (Atlas et al., 1973) and is drawn
as the path it takes during the exposure, seen from the moving camera; it brightens the background by the
share of the exposure for which it covers a pixel (Garg & Nayar, 2007).

*Haze*: Koschmieder's law with the extinction of rain.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from distill.scenes.canvas import Canvas
from distill.scenes.geometry import Doubles
from distill.scenes.labels import TERRAIN
from distill.scenes.texture import Floats, linear, noise, sample
from distill.scenes.weather.fog import extinction, hang_wires, koschmieder, ray_length
from distill.scenes.weather.light import Daylight, bloom
from distill.scenes.weather.windscreen import Windscreen

Mask = npt.NDArray[np.bool_]
WATER_R0 = 0.02
EXPOSURE = 1 / 60
"""Seconds the shutter is open."""
NEAREST, FARTHEST = 0.6, 14.0
"""Metres between which single drops are drawn."""
BEHIND_GLASS = 0.7
"""Share of the cameras that look through a windscreen."""


def fresnel(cosine: Floats, normal_reflectance: float = WATER_R0) -> Floats:
    """Return Schlick's reflectance, R0…1, by the cosine of the angle to the normal."""
    return normal_reflectance + (1 - normal_reflectance) * (1 - np.clip(cosine, 0, 1)) ** 5


def fall_speed(diameter: Floats) -> Floats:
    """Return the terminal velocity in m/s of a drop of that diameter in metres (0.5 to 5 mm)."""
    return 9.65 - 10.3 * np.exp(-600 * diameter)


def mirror_rows(ground: Mask) -> npt.NDArray[np.intp]:
    """Return the row that each ground pixel mirrors: 2·c + 1 − v, c the last row above that is no ground."""
    height = ground.shape[0]
    rows = np.arange(height)[:, None]
    contact = np.maximum.accumulate(np.where(ground, -1, rows), axis=0)
    return np.clip(2 * contact - rows + 1, 0, height - 1)


def upward(canvas: Canvas) -> Mask:
    """Return bool [H,W]: the pixel shows the ground."""
    return (canvas.normal_index == 0) & (canvas.inverse_depth > 0)


def puddles(canvas: Canvas, wetness: float) -> Floats:
    """Return how smooth the film of water is, 0 (damp) … 1 (standing water), for every pixel."""
    x, _, z = canvas.camera.position
    depth = np.minimum(canvas.depth, 400)
    u, v = x + depth * canvas.camera.rays[..., 0], z + depth * canvas.camera.rays[..., 2]
    pattern = sample(noise(13, 4, 5), u / 23, v / 23)
    return np.clip(wetness * 1.3 - 0.6 + 0.45 * pattern, 0, 1)


@dataclass(frozen=True)
class Rain:
    """Rain of one strength under an overcast sky."""

    sky: Daylight
    wetness: float
    """Wetness of the ground, 0 (damp) … 1 (streaming)."""
    rate: float
    """Number of drops relative to the heaviest rain, 0…1."""
    visibility: float
    """Visibility through the haze, metres."""
    wind: float
    """Wind to the right, metres per second."""
    speed: float
    """Speed of the camera, metres per second."""
    glass: Windscreen | None
    """What the camera looks through; None: it is outside, and dry."""

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Rain:
        """Draw a random rain, from drizzle to a downpour."""
        heavy = float(rng.uniform(0.15, 1))
        return cls(
            Daylight.draw(rng, 0.5 + 0.5 * heavy),
            wetness=float(rng.uniform(0.45, 1)),
            rate=heavy,
            visibility=float(rng.uniform(900, 4500) / (0.5 + heavy)),
            wind=float(rng.normal(0, 1.5)),
            speed=float(rng.uniform(0, 12)),
            glass=Windscreen.draw(rng, heavy) if rng.random() < BEHIND_GLASS else None,
        )

    def radiance(self, canvas: Canvas, time: float, rng: np.random.Generator) -> Floats:
        """Return the linear radiance [H,W,3] of the scene in rain; wets the canvas' ground.

        :param time: seconds since the beginning of the drive, by which the wiper moves.
        """
        ground = upward(canvas)
        smooth = puddles(canvas, self.wetness)
        canvas.layers[ground, :3] *= (1 - 0.6 * self.wetness) - 0.15 * smooth[ground][:, None]
        dry = self.sky.radiance(canvas)
        image = self._mirror(canvas, dry, ground, smooth * (canvas.labels != TERRAIN))
        air = linear(self.sky.horizon) * np.float32(0.95)
        image = koschmieder(image, ray_length(canvas), extinction(self.visibility), air)
        image = hang_wires(image, canvas, extinction(self.visibility))
        veil, shine = self._streaks(canvas, rng), air * np.float32(1.05)
        image += veil[..., None] * (shine - image)
        if self.glass is not None:
            image = self.glass.look_through(image, time)
        return bloom(image, 0.2, 0.025)

    def _mirror(self, canvas: Canvas, image: Floats, ground: Mask, smooth: Floats) -> Floats:
        rows = mirror_rows(ground)
        sharp = np.take_along_axis(image, rows[..., None], axis=0)
        height, width = image.shape[:2]
        small = cv2.resize(sharp, (max(1, width // 2), max(1, height // 6)), interpolation=cv2.INTER_AREA)
        small = cv2.GaussianBlur(small, (0, 0), sigmaX=0.002 * height + 0.3, sigmaY=0.006 * height + 0.3)
        rough = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
        seen = rough + smooth[..., None] * (cv2.GaussianBlur(sharp, (3, 5), 0) - rough)
        cosine = -canvas.camera.rays[..., 1] / canvas.camera.range_per_depth
        hard = ground & (canvas.labels != TERRAIN)
        share = fresnel(cosine) * self.wetness * (0.45 + 0.55 * smooth) * hard
        # A rough film turns part of the glancing mirror image towards steeper angles.
        share = np.clip(share + self.wetness * (0.05 + 0.13 * smooth) * hard, 0, 0.85)
        return image + share[..., None] * (seen - image)

    def _streaks(self, canvas: Canvas, rng: np.random.Generator) -> Floats:
        """Return the share of each pixel covered by drops during the exposure, 0…1."""
        camera = canvas.camera
        height, width = camera.height, camera.width
        count = int(1300 * self.rate * width / max(height, 1))
        depth = np.cbrt(rng.uniform(NEAREST**3, FARTHEST**3, count))
        place = rng.uniform(-0.5, 0.5, (count, 2)) * (width, height) / camera.focal * depth[:, None] * 1.2
        diameter = rng.gamma(4, 0.0004, count).clip(0.0005, 0.005)
        move = np.stack(
            [self.wind + rng.normal(0, 0.3, count), fall_speed(diameter), np.full(count, -self.speed)], 1
        )
        start = np.column_stack([place, depth])
        stop = start + move * EXPOSURE
        stop[:, 2] = np.maximum(stop[:, 2], 0.3)
        begin, end = camera.project(start), camera.project(stop)
        wide = diameter / depth * camera.focal
        alpha = np.clip(255 * np.minimum(wide, 1.2) * 0.55, 10, 150)
        close = depth < 3
        size = (height, width)
        sharp = strokes(size, begin[~close], end[~close], wide[~close], alpha[~close])
        soft = strokes(size, begin[close], end[close], wide[close], alpha[close])
        return np.maximum(sharp, cv2.GaussianBlur(soft, (0, 0), 0.8))


def strokes(shape: tuple[int, int], start: Doubles, stop: Doubles, wide: Doubles, alpha: Doubles) -> Floats:
    """Draw lines from ``start`` to ``stop`` [n,2] in pixels, width and opacity (0…255): cover 0…1 [H,W]."""
    layer = np.zeros(shape, np.uint8)
    lines = np.rint(np.stack([start, stop], 1).clip(-2000, 30000) * 16).astype(np.int32)
    thick = np.clip(np.rint(wide), 1, 40).astype(int)
    step = (alpha / 24).astype(int)  # lines alike are drawn at once
    for key in np.unique(step * 64 + thick).tolist():
        group = lines[(step * 64 + thick) == key]
        cv2.polylines(layer, list(group), False, (key // 64) * 24 + 12, key % 64, cv2.LINE_AA, 4)
    return layer * np.float32(1 / 255)
