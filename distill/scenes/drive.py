"""A drive along one street: the camera moves, others move too, the weather may change on the way."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from distill.scenes.camera import PinholeCamera
from distill.scenes.layout import CAMERA_SPEED, Street
from distill.scenes.render import VIEW, RenderedFrame, render_frame
from distill.scenes.sensor import Sensor
from distill.scenes.street import build
from distill.scenes.weather.conditions import Weather, draw_weather

RATE = 10.0
"""Frames per second."""
START = 1_704_096_000 * 10**9
"""Stamp of the first frame in nanoseconds: 2024-01-01 08:00 UTC."""


@dataclass(frozen=True)
class Drive:
    """A drive along the street of a seed; ``conditions`` follow one another in equal shares of the frames."""

    seed: int
    size: tuple[int, int]
    """(height, width) in pixels."""
    frames: int
    conditions: tuple[str, ...]

    def stamp(self, index: int) -> int:
        """Return the time of a frame in nanoseconds since 1970."""
        return START + round(index * 10**9 / RATE)

    def condition(self, index: int) -> str:
        """Return the weather of a frame."""
        return self.conditions[index * len(self.conditions) // self.frames]

    def render(self, index: int) -> RenderedFrame:
        """Render one frame; it depends on nothing but the drive and its number."""
        time, condition = index / RATE, self.condition(index)
        street = _street(self.seed, self.frames)
        weather, sensor = _weather(self.seed, index * len(self.conditions) // self.frames, condition)
        rng = np.random.default_rng([self.seed, 2, index])
        return render_frame(street, self.camera(street, time), weather, sensor, time, rng)

    def camera(self, street: Street, time: float) -> PinholeCamera:
        """Return the camera after ``time`` seconds: in the right lane, swaying and nodding a little."""
        z = CAMERA_SPEED * time
        sway = 0.12 * np.sin(0.5 * time + 1) + 0.05 * np.sin(1.7 * time)
        offset = (street.lanes - 0.5) * street.lane_width + float(sway)
        nod = 0.003 * np.sin(6.1 * time) + 0.002 * np.sin(9.7 * time + 2)
        height, width = self.size
        return PinholeCamera(
            height,
            width,
            focal=0.72 * width,
            position=(offset + float(street.bend(z)), 1.5 + 0.01 * float(np.sin(7 * time)), z),
            yaw=street.direction(z + 6) + 0.006 * float(np.sin(0.6 * time)),
            pitch=float(nod),
            roll=0.003 * float(np.sin(1.3 * time)),
        )


@lru_cache(maxsize=2)
def _street(seed: int, frames: int) -> Street:
    return build(seed, frames / RATE * CAMERA_SPEED + VIEW)


@lru_cache(maxsize=8)
def _weather(seed: int, segment: int, condition: str) -> tuple[Weather, Sensor]:
    rng = np.random.default_rng([seed, 1, segment])
    return draw_weather(rng, condition), Sensor.draw(rng, night=condition == "night")
