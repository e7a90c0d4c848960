"""Snow: white cover on what faces the sky, haze, falling flakes, a wet windscreen.

Cover lies where the surface faces up (n_y high) and thins out with noise and, on the road, in the tracks of
wheels. Flakes of 2 to 8 mm fall at about 1 m/s, so that at driving speed they streak away from the point of
expansion; they are drawn with their size and motion in the image and a little out of focus when near. Haze:
Koschmieder's law.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from distill.scenes.canvas import Canvas
from distill.scenes.labels import ROAD, VEGETATION
from distill.scenes.layout import Street
from distill.scenes.texture import Floats, linear, noise, sample
from distill.scenes.weather.fog import extinction, hang_wires, koschmieder, ray_length
from distill.scenes.weather.light import DAY_GLOW, Daylight, bloom
from distill.scenes.weather.rain import BEHIND_GLASS, EXPOSURE, strokes, upward
from distill.scenes.weather.windscreen import Windscreen

FALL_SPEED = 1.1
"""Metres per second at which flakes fall."""


@dataclass(frozen=True)
class Snow:
    """Snow that lies and falls under an overcast sky."""

    sky: Daylight
    cover: float
    """Snow that lies off the road, 0 (dusted) … 1 (deep)."""
    road: float
    """Snow that lies on the road, 0…1, less in the wheel tracks."""
    rate: float
    """Number of flakes relative to the heaviest fall, 0…1."""
    visibility: float
    """Visibility through the haze, metres."""
    wind: float
    """Wind to the right, metres per second."""
    speed: float
    """Speed of the camera, metres per second."""
    glass: Windscreen | None
    """What the camera looks through, with drops of molten flakes; None: it is outside, or no flakes fall."""

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Snow:
        """Draw random snow: dusted to deep, still falling or not."""
        rate = float(max(0.0, rng.uniform(-0.15, 1)))
        return cls(
            Daylight.draw(rng, 0.3),
            cover=float(rng.uniform(0.55, 1)),
            road=float(rng.uniform(0, 1)),
            rate=rate,
            visibility=float(rng.uniform(260, 900) / (0.4 + rate)),
            wind=float(rng.normal(0, 1.2)),
            speed=float(rng.uniform(0, 11)),
            glass=Windscreen.draw(rng, 0.5 * rate) if rate > 0.2 and rng.random() < BEHIND_GLASS else None,
        )

    def radiance(self, canvas: Canvas, street: Street, time: float, rng: np.random.Generator) -> Floats:
        """Return the linear radiance [H,W,3] of the scene in snow; whitens the canvas' albedo.

        :param time: seconds since the beginning of the drive, by which the wiper moves.
        """
        self._whiten(canvas, street)
        image = self.sky.radiance(canvas, glow=DAY_GLOW)
        air = linear(self.sky.horizon) * np.float32(0.95)
        image = koschmieder(image, ray_length(canvas), extinction(self.visibility), air)
        image = hang_wires(image, canvas, extinction(self.visibility))
        veil = self._flakes(canvas, rng)
        image += veil[..., None] * (air * np.float32(1.08) - image)
        if self.glass is not None:
            image = self.glass.look_through(image, time)
        return bloom(image, 0.15, 0.02)

    def _whiten(self, canvas: Canvas, street: Street) -> None:
        """Whiten the albedo where snow lies."""
        camera, ground = canvas.camera, upward(canvas)
        depth = np.minimum(canvas.depth, np.float32(400))
        x = camera.position[0] + depth * camera.rays[..., 0]
        z = camera.position[2] + depth * camera.rays[..., 2]
        patchy = sample(noise(17, 8, 5), x / 19, z / 19)
        rises = np.clip((canvas.normals[..., 1] - 0.58) * 4, 0, 1)
        amount = np.clip(self.cover * 1.9 - 0.5 + 0.3 * patchy, 0, 1) * rises
        amount[canvas.inverse_depth == 0] = 0
        leaves = (canvas.labels == VEGETATION) & ~ground
        if leaves.any():
            # Foliage is drawn lighter where it faces up: that is where snow stays.
            tone = canvas.layers[leaves, 1]
            amount[leaves] = np.clip(self.cover * (0.75 * tone / (tone.mean() + 1e-3) - 0.45), 0, 0.8)
        road = ground & (canvas.labels == ROAD)
        offset = (x - street.bend(z))[road]
        amount[road], dirt = self._on_road(street, offset, patchy[road])

        white = linear((238, 241, 246)) * (1 + 0.04 * sample(noise(19, 16, 5), x / 5, z / 5))[..., None]
        white[road] += dirt[:, None] * (linear((150, 148, 146)) - white[road])
        albedo = canvas.layers[..., :3]
        albedo += amount[..., None] * ((1 - canvas.sky_share)[..., None] * white - albedo)
        albedo[road] *= (1 - 0.35 * (1 - amount[road]))[:, None]  # bare asphalt is wet

    def _on_road(self, street: Street, offset: Floats, patchy: Floats) -> tuple[Floats, Floats]:
        """Return how much snow lies on road points, least in the wheel tracks, and how dirty it is, 0…1."""
        lane = np.mod(offset, street.lane_width) - street.lane_width / 2
        track = np.exp(-(((np.abs(lane) - 0.75) / 0.42) ** 2))
        middle = np.exp(-((np.abs(lane) - street.lane_width / 2) ** 2) / 0.3)
        edge = np.clip(1.2 - np.abs(np.abs(offset) - street.lane_width * street.lanes) / 1.2, 0, 1)
        lying = self.road * (1.5 + 0.3 * middle) - (0.55 + 0.7 * (1 - self.road)) * track
        lying += 0.35 * edge * self.cover
        dirt = 0.75 * track + 0.25 * (1 - self.road)
        return np.clip(lying - 0.35 + 0.22 * patchy, 0, 1), np.clip(dirt, 0, 1)

    def _flakes(self, canvas: Canvas, rng: np.random.Generator) -> Floats:
        """Return the share of each pixel covered by flakes, 0…1."""
        camera = canvas.camera
        height, width = camera.height, camera.width
        count = int(2200 * self.rate * width / max(height, 1))
        depth = np.cbrt(rng.uniform(0.7**3, 18**3, count))
        place = rng.uniform(-0.55, 0.55, (count, 2)) * (width, height) / camera.focal * depth[:, None]
        sizes = rng.gamma(5, 0.001, count).clip(0.002, 0.01)
        drift = rng.normal((self.wind, FALL_SPEED, -self.speed), 0.4, (count, 3))
        start = np.column_stack([place, depth])
        stop = start + drift * EXPOSURE
        stop[:, 2] = np.maximum(stop[:, 2], 0.4)
        begin, end = camera.project(start), camera.project(stop)
        wide = sizes / depth * camera.focal
        alpha = np.clip(255 * np.minimum(wide, 1.0), 40, 235)
        veil = np.zeros((height, width), np.float32)
        for part, blur in ((depth < 3, 1.4), (depth >= 3, 0.5)):
            layer = strokes((height, width), begin[part], end[part], wide[part], alpha[part])
            veil = np.maximum(veil, cv2.GaussianBlur(layer, (0, 0), blur * height / 400 + 0.2))
        return np.clip(veil * 1.25, 0, 1)
