"""Passenger cars: a profile carried across the width, a narrower cabin, glass, wheels and lamps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

import numpy as np

from distill.scenes.canvas import Canvas
from distill.scenes.labels import CAR
from distill.scenes.layout import Place
from distill.scenes.texture import Colour, hsv, scaled
from distill.scenes.things.mesh import BLACK, GLASS, PLATE, Mesh, draw_mesh

CarKind = Literal["hatch", "sedan", "estate", "suv", "van"]
_SHAPES: dict[str, tuple[float, ...]] = {
    # length, width, height, belt, bonnet, screen, rear screen, boot: metres along the car
    "hatch": (4.0, 1.74, 1.47, 0.94, 0.95, 0.85, 0.5, 0.05),
    "sedan": (4.6, 1.82, 1.44, 0.94, 1.15, 0.95, 0.75, 0.65),
    "estate": (4.7, 1.82, 1.48, 0.95, 1.1, 0.9, 0.45, 0.05),
    "suv": (4.5, 1.88, 1.68, 1.06, 1.05, 0.8, 0.45, 0.05),
    "van": (5.0, 1.94, 1.95, 1.12, 0.7, 0.85, 0.12, 0.03),
}


@dataclass(frozen=True)
class Car:
    """A car; paint and proportions follow from the seed."""

    seed: int
    kind: CarKind
    lit: bool
    """True if the lamps are on."""


def car_colour(rng: np.random.Generator) -> Colour:
    """Draw a random paint: grey, black or white as often as on real roads, else a colour."""
    if rng.random() < 0.66:
        return hsv(rng.uniform(180, 260), rng.uniform(0, 0.08), rng.choice([0.1, 0.2, 0.35, 0.55, 0.7, 0.9]))
    return hsv(
        rng.choice([0, 5, 25, 45, 120, 160, 205, 215, 225, 280]),
        rng.uniform(0.4, 0.85),
        rng.uniform(0.2, 0.75),
    )


@lru_cache(maxsize=256)
def car_mesh(car: Car) -> Mesh:
    """Return the body of a car at the origin, on the ground, heading forward."""
    rng = np.random.default_rng(car.seed)
    size = np.array(_SHAPES[car.kind]) * rng.uniform(0.95, 1.05, 8)
    length, width, height, belt, bonnet, screen, rear_screen, boot = size.tolist()
    paint, half, front, rear = car_colour(rng), width / 2, length / 2, -length / 2
    mesh = Mesh((0.0, 0.6, 0.0))
    radius = 0.33 if car.kind in ("suv", "van") else 0.3
    axles = (rear + 0.19 * length, front - 0.19 * length)
    mesh.tyres(half, axles, radius)
    low, nose, deck = 0.24, belt - 0.2, belt - 0.02
    mesh.side(half - 0.12, (rear + 0.3, front - 0.3, 0.06, 0.32), BLACK)
    mesh.end(rear + 0.25, (-half + 0.15, half - 0.15, 0.1, 0.32), BLACK)
    mesh.end(front - 0.25, (-half + 0.15, half - 0.15, 0.1, 0.32), BLACK)
    cowl, tail = front - bonnet, rear + boot
    # Lower body, from the front bumper over the bonnet to the rear bumper.
    profile = [
        (front - 0.05, low), (front, 0.45), (front - 0.04, nose - 0.06), (front - 0.16, nose), (cowl, belt),
        (tail, deck), (rear + 0.03, deck - 0.08), (rear, 0.5), (rear + 0.05, low),
    ]  # fmt: skip
    for (z0, y0), (z1, y1) in pairwise(profile):
        tone = 1.0 if y0 > 0.4 else 0.75
        mesh.add([(-half, y0, z0), (half, y0, z0), (half, y1, z1), (-half, y1, z1)], scaled(paint, tone))
    for sign in (-1, 1):
        mesh.add([(sign * half, y, z) for z, y in profile], paint, gradient=(1.06, 0.62))
    # Cabin: a frustum, glass inset in every face.
    top = half * (0.9 if car.kind == "van" else 0.8)
    roof_front, roof_rear = cowl - screen, tail + rear_screen
    base = half * 0.97
    faces = {
        "screen": [
            (-base, belt, cowl + 0.04),
            (base, belt, cowl + 0.04),
            (top, height, roof_front),
            (-top, height, roof_front),
        ],
        "back": [
            (base, deck, tail),
            (-base, deck, tail),
            (-top, height, roof_rear),
            (top, height, roof_rear),
        ],
        "left": [
            (-base, deck, tail),
            (-base, belt, cowl + 0.04),
            (-top, height, roof_front),
            (-top, height, roof_rear),
        ],
        "right": [
            (base, belt, cowl + 0.04),
            (base, deck, tail),
            (top, height, roof_rear),
            (top, height, roof_front),
        ],
    }
    mesh.add(
        [
            (-top, height, roof_front),
            (top, height, roof_front),
            (top, height, roof_rear),
            (-top, height, roof_rear),
        ],
        paint,
    )
    blind = car.kind == "van" and rng.random() < 0.6  # a delivery van
    for name, corners in faces.items():
        mesh.add(corners, paint, gradient=(1.0, 0.94))
        pane = np.asarray(corners)
        if name in ("screen", "back"):
            if not (blind and name == "back"):
                mesh.add(_inset(pane, 0.07, 0.93, 0.06, 0.86), GLASS, gradient=(2.0, 0.9))
            continue
        first, last = (0.48, 0.97) if name == "left" else (0.03, 0.52)
        spans = [(first, last)] if blind else [(0.06, 0.47), (0.51, 0.93)]
        for start, stop in spans:
            mesh.add(_inset(pane, start, stop, 0.08, 0.84), GLASS, gradient=(1.9, 0.8))
    _trim(mesh, car, rng, (front, rear, half, nose, deck, cowl, belt), paint)
    mesh.wheels(half, axles, radius, scaled(paint, 0.25))
    return mesh


def _inset(
    quad: np.ndarray, left: float, right: float, low: float, high: float
) -> list[tuple[float, float, float]]:
    """Return the part of a four-cornered face (two lower corners first, then the upper ones back)."""
    corners = []
    for u, v in ((left, low), (right, low), (right, high), (left, high)):
        foot, head = quad[0] * (1 - u) + quad[1] * u, quad[3] * (1 - u) + quad[2] * u
        x, y, z = foot * (1 - v) + head * v
        corners.append((float(x), float(y), float(z)))
    return corners


def _trim(mesh: Mesh, car: Car, rng: np.random.Generator, frame: tuple[float, ...], paint: Colour) -> None:
    """Add lamps, grille, plates, door lines and mirrors."""
    front, rear, half, nose, deck, cowl, belt = frame
    z = front + 0.01
    mesh.end(z, (-half * 0.55, half * 0.55, 0.42, nose - 0.12), (30, 31, 33), finest=8)
    mesh.end(z, (-half * 0.8, half * 0.8, 0.26, 0.36), (34, 34, 36), finest=8)
    mesh.end(z + 0.005, (-0.26, 0.26, 0.42, 0.52), PLATE, finest=8)
    glow = 12.0 if car.lit else 0.0
    lens: Colour = (255, 246, 226) if car.lit else (186, 192, 198)
    corner = (front - 0.35, front - 0.06, nose - 0.2, nose - 0.08)
    mesh.side(half + 0.003, corner, scaled(lens, 0.8), finest=12)
    for sign in (-1, 1):
        left, right = sorted((sign * half * 0.62, sign * half * 0.94))
        mesh.end(z, (left, right, nose - 0.22, nose - 0.08), lens, emission=glow)
        tail = (150, 12, 14) if not car.lit else (255, 24, 20)
        mesh.end(rear - 0.01, (left, right, deck - 0.32, deck - 0.12), tail, emission=2.2 if car.lit else 0.0)
        left, right = sorted((sign * half, sign * (half + 0.18)))
        mesh.end(cowl - 0.25, (left, right, belt + 0.02, belt + 0.16), scaled(paint, 0.8), finest=10)
    mesh.end(
        rear - 0.012, (-0.26, 0.26, 0.58, 0.69), PLATE if rng.random() < 0.7 else (226, 190, 60), finest=8
    )
    mesh.end(rear - 0.01, (-half * 0.9, half * 0.9, 0.26, 0.42), (42, 42, 44), finest=6)
    for share in (0.06, 0.3):
        mesh.side(
            half + 0.002,
            (rear * share - 0.012, rear * share + 0.012, 0.34, belt - 0.05),
            scaled(paint, 0.5),
            finest=24,
        )
        mesh.side(
            half + 0.004,
            (rear * share + 0.1, rear * share + 0.26, belt - 0.2, belt - 0.16),
            scaled(paint, 0.6),
            finest=24,
        )
    mesh.side(half + 0.003, (rear + 0.4, front - 0.4, 0.27, 0.34), (36, 36, 38), finest=8)


def paint_car(canvas: Canvas, place: Place, time: float, *, car: Car) -> None:
    """Draw a car at a place."""
    del time
    draw_mesh(canvas, place, car_mesh(car), CAR)
