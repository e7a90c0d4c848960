"""Bicycles and motorcycles, parked or ridden, seen from the side, the rear or the front."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from distill.scenes.canvas import Canvas
from distill.scenes.labels import BICYCLE, MOTORCYCLE, RIDER
from distill.scenes.layout import Place
from distill.scenes.things.cycle_pictures import (
    HEIGHT,
    WIDTH,
    machine_end,
    machine_side,
    rider_end,
    rider_side,
)
from distill.scenes.things.people import FINEST
from distill.scenes.things.plants import face_camera

Tint = tuple[float, float, float]
STOCK = 48
"""Different machines and riders of each kind; tints make more of them."""


@dataclass(frozen=True)
class Cycle:
    """A two-wheeler of the stock, with or without a rider."""

    model: int
    motor: bool
    ridden: bool
    tint: Tint
    rider_tint: Tint


def paint_cycle(canvas: Canvas, place: Place, time: float, *, cycle: Cycle) -> None:
    """Draw the machine, then its rider, in the plane of the heading or facing the camera."""
    x, _, z = canvas.camera.position
    away = np.array([place.x - x, place.z - z])
    distance = float(np.hypot(*away))
    relative = place.heading - np.arctan2(away[0], away[1])
    stroke = int(time * 8 + cycle.model) % 8 if cycle.ridden else 0
    label = MOTORCYCLE if cycle.motor else BICYCLE
    size = round(HEIGHT * FINEST)
    if abs(np.sin(relative)) < 0.4:
        from_rear = bool(np.cos(relative) > 0)
        look = partial(machine_end, cycle.model, cycle.motor, from_rear)
        face_camera(canvas, place, look, HEIGHT, WIDTH, label, size, cycle.tint)
        if cycle.ridden:
            look = partial(rider_end, cycle.model, cycle.motor, stroke, from_rear)
            face_camera(canvas, place, look, HEIGHT, WIDTH, RIDER, size, cycle.rider_tint)
        return
    level = int(
        np.clip(np.floor(np.log2(size * max(distance, 1) / (canvas.camera.focal * HEIGHT)) + 0.3), 0, 5)
    )
    corner, right, down = place.points([[0, HEIGHT, -WIDTH / 2], [0, HEIGHT, WIDTH / 2], [0, 0, -WIDTH / 2]])
    machine = partial(machine_side, cycle.model, cycle.motor, level)
    canvas.picture(corner, right - corner, down - corner, machine, label, cycle.tint)
    if cycle.ridden:
        rider = partial(rider_side, cycle.model, cycle.motor, stroke, level)
        canvas.picture(corner, right - corner, down - corner, rider, RIDER, cycle.rider_tint)
