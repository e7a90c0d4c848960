"""Renders one frame: a street, a camera in it, a time and a weather."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from distill.scenes.camera import PinholeCamera
from distill.scenes.canvas import Canvas
from distill.scenes.geometry import clip_near
from distill.scenes.ground import draw_ground
from distill.scenes.layout import Place, Street, Thing
from distill.scenes.sensor import Sensor
from distill.scenes.street import build
from distill.scenes.things.backdrop import draw_backdrop
from distill.scenes.weather.conditions import Weather, draw_weather, light_scene

VIEW = 190.0
"""Metres ahead that are drawn."""


@dataclass(frozen=True)
class RenderedFrame:
    """A rendered picture with its labels and depth."""

    rgb: npt.NDArray[np.uint8]
    """Picture [H,W,3], sRGB."""
    labels: npt.NDArray[np.uint8]
    """TrainId of each pixel, 0…18, [H,W]."""
    depth: npt.NDArray[np.float32]
    """Planar depth in metres [H,W], infinite in the sky."""


def draw_camera(rng: np.random.Generator, street: Street, size: tuple[int, int]) -> PinholeCamera:
    """Place a camera at a car's windscreen, in the right lane at z = 0, looking roughly along the street."""
    height, width = size
    field = np.radians(rng.uniform(58, 82))
    offset = (street.lanes - 0.5) * street.lane_width + rng.normal(0, 0.3)
    return PinholeCamera(
        height,
        width,
        focal=width / 2 / float(np.tan(field / 2)),
        position=(offset + float(street.bend(0.0)), float(rng.uniform(1.35, 1.65)), 0.0),
        yaw=street.direction(8.0) + float(rng.normal(0, 0.035)),
        pitch=float(rng.normal(0.0, 0.02)),
        roll=float(rng.normal(0, 0.006)),
    )


def draw_scene(street: Street, camera: PinholeCamera, time: float) -> Canvas:
    """Draw everything in view at a time (seconds), before light and weather."""
    canvas = Canvas(camera)
    draw_ground(canvas, street)
    things = list(street.things_near(camera.position[2], VIEW, time))
    _shade_ground(canvas, things)
    draw_backdrop(canvas, street)
    for thing, place in things:
        thing.paint(canvas, place, time)
    return canvas


def _shade_ground(canvas: Canvas, things: list[tuple[Thing, Place]]) -> None:
    """Darken the ground under and around things: they hide part of the sky from it."""
    camera = canvas.camera
    shade = np.zeros((camera.height, camera.width), np.uint8)
    for thing, place in things:
        if thing.footprint is None:
            continue
        for grow, strength in ((1.25, 110), (1.0, 190)):
            a, b = thing.footprint[0] * grow, thing.footprint[1] * grow
            corners = place.points([[-a, 0, -b], [a, 0, -b], [a, 0, b], [-a, 0, b]])
            outline = clip_near(camera.to_camera(corners))
            if len(outline) >= 3:
                spots = np.rint(camera.project(outline).clip(-20000, 20000) * 16).astype(np.int32)
                cv2.fillConvexPoly(shade, spots, strength, cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(shade, (0, 0), max(0.8, camera.height / 200))
    canvas.layers[..., :3] *= (1 - soft * np.float32(0.85 / 255))[..., None]


def render_frame(
    street: Street,
    camera: PinholeCamera,
    weather: Weather,
    sensor: Sensor,
    time: float,
    rng: np.random.Generator,
) -> RenderedFrame:
    """Draw, light and expose; ``rng`` drives what differs from frame to frame (drops, flakes, noise)."""
    canvas = draw_scene(street, camera, time)
    rgb = sensor.expose(light_scene(canvas, street, weather, time, rng), rng)
    return RenderedFrame(rgb, canvas.labels, canvas.depth)


def render_scene(seed: int | np.random.SeedSequence, size: tuple[int, int], condition: str) -> RenderedFrame:
    """Render a random street of a seed at ``size`` (height, width) in a condition.

    The same seed gives the same street in every condition and the same bytes every time.
    """
    entropy = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    # A copy, because spawning changes the sequence it is asked of.
    sequence = np.random.SeedSequence(entropy.entropy, spawn_key=entropy.spawn_key)
    # Street and camera, weather and sensor, and what differs from frame to frame have independent streams.
    place, air, grain = map(np.random.default_rng, sequence.spawn(3))
    street = build(int(place.integers(1 << 31)), VIEW)
    camera = draw_camera(place, street, size)
    weather = draw_weather(air, condition)
    return render_frame(street, camera, weather, Sensor.draw(air, night=condition == "night"), 0.0, grain)
