"""The weathers by name, and the light of a scene in each."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from distill.scenes.canvas import Canvas
from distill.scenes.layout import Street
from distill.scenes.weather.fog import Fog, hang_wires
from distill.scenes.weather.light import Daylight
from distill.scenes.weather.night import Night
from distill.scenes.weather.rain import Rain
from distill.scenes.weather.snow import Snow
from kd_seg_ros.common.conditions import CONDITIONS

CLEAR: Final = "clear"
"""Name of an overcast day without anything in the air."""
LAMPS_WITHIN = 70.0
"""Metres ahead from which lamps light the scene at night."""
Weather = Daylight | Fog | Night | Rain | Snow


def draw_weather(rng: np.random.Generator, condition: str) -> Weather:
    """Draw a random weather of one of :data:`CONDITIONS`, or :data:`CLEAR`."""
    if condition == CLEAR:
        return Daylight.draw(rng, 0.0)
    kinds: dict[str, type[Fog] | type[Night] | type[Rain] | type[Snow]] = {
        "fog": Fog,
        "night": Night,
        "rain": Rain,
        "snow": Snow,
    }
    if condition not in kinds:
        raise ValueError(f"unknown condition {condition!r}: one of {CLEAR}, {', '.join(CONDITIONS)}")
    return kinds[condition].draw(rng)


def light_scene(
    canvas: Canvas, street: Street, weather: Weather, time: float, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Return the linear radiance [H,W,3] of a scene; rain and snow change the canvas' albedo."""
    if isinstance(weather, Rain):
        return weather.radiance(canvas, time, rng)
    if isinstance(weather, Snow):
        return weather.radiance(canvas, street, time, rng)
    if isinstance(weather, Night):
        lamps = []
        for thing, place in street.things_near(canvas.camera.position[2], LAMPS_WITHIN, time):
            lamps += [(place.points([lamp])[0], thing.lights_street) for lamp in thing.lamps]
        return weather.radiance(canvas, lamps)  # wires are black against the black sky
    if isinstance(weather, Fog):
        return weather.radiance(canvas)
    return hang_wires(weather.radiance(canvas), canvas, beta=0.0)
