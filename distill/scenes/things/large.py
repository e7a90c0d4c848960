"""Lorries, buses and trams."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from distill.scenes.canvas import Canvas
from distill.scenes.labels import BUS, TRAIN, TRUCK
from distill.scenes.layout import Place
from distill.scenes.texture import Colour, hsv, scaled
from distill.scenes.things.cars import car_colour
from distill.scenes.things.mesh import BLACK, GLASS, PLATE, Mesh, draw_mesh


@dataclass(frozen=True)
class Large:
    """A big vehicle; looks follow from the seed."""

    seed: int
    lit: bool


def _lamps(mesh: Mesh, half: float, front: float, rear: float, height: float, *, lit: bool) -> None:
    for sign in (-1, 1):
        left, right = sorted((sign * half * 0.62, sign * half * 0.92))
        white: Colour = (255, 246, 226) if lit else (190, 196, 200)
        red: Colour = (255, 24, 20) if lit else (140, 14, 16)
        mesh.end(front + 0.02, (left, right, height, height + 0.18), white, emission=12.0 if lit else 0)
        mesh.end(rear - 0.02, (left, right, height + 0.05, height + 0.22), red, emission=2.2 if lit else 0)
    mesh.end(rear - 0.025, (-0.26, 0.26, height - 0.1, height + 0.02), PLATE, finest=8)


@lru_cache(maxsize=64)
def truck_mesh(truck: Large) -> Mesh:
    """Return the body of a lorry with a box, a tarpaulin, a tank or an open bed."""
    rng = np.random.default_rng(truck.seed)
    length, half = float(rng.uniform(6.5, 10)), float(rng.uniform(1.15, 1.27))
    front, rear = length / 2, -length / 2
    cab, load = car_colour(rng), (car_colour(rng) if rng.random() < 0.5 else (226, 226, 222))
    top, cab_top = float(rng.uniform(3.1, 3.8)), float(rng.uniform(2.5, 3.0))
    mesh = Mesh((0.0, 1.5, 0.0))
    axles = (rear + 1.4, rear + 2.5, front - 1.1)
    mesh.tyres(half * 0.97, axles, 0.5)
    mesh.box(half * 0.8, (rear + 0.1, front - 0.2, 0.45, 0.95), (38, 38, 40))
    kind = rng.choice(["box", "box", "curtain", "bed"])
    split = front - 2.0
    if kind == "bed":
        mesh.box(half, (rear, split - 0.2, 0.95, 1.55), load)
        mesh.box(half * 0.85, (rear + 0.4, split - 0.8, 1.3, float(rng.uniform(1.6, 2.3))), (128, 104, 78))
    else:
        mesh.box(half, (rear, split - 0.15, 0.95, top), load)
        stripe = hsv(rng.uniform(0, 360), rng.uniform(0.3, 0.9), rng.uniform(0.3, 0.8))
        mesh.side(half + 0.01, (rear + 0.6, split - 0.9, 1.7, top - 0.6), stripe, finest=4)
        if kind == "curtain":
            for z in np.arange(rear + 0.5, split - 0.3, 0.6):
                mesh.side(half + 0.015, (z, z + 0.05, 1.0, top - 0.1), scaled(load, 0.7), finest=14)
        mesh.end(rear - 0.01, (-0.02, 0.02, 1.0, top - 0.1), scaled(load, 0.4), finest=6)
        for x in (-0.7, -0.35, 0.35, 0.7):
            mesh.end(rear - 0.012, (x - 0.02, x + 0.02, 1.05, top - 0.15), scaled(load, 0.65), finest=12)
    mesh.end(rear - 0.012, (-half, half, 0.98, 1.08), (196, 40, 34), finest=8)
    mesh.end(rear - 0.01, (-half * 0.95, half * 0.95, 0.42, 0.6), (30, 30, 32))
    mesh.box(half * 0.98, (split, front, 0.45, cab_top), cab)
    mesh.end(
        front + 0.01, (-half * 0.88, half * 0.88, cab_top - 1.25, cab_top - 0.3), GLASS, gradient=(1.9, 0.9)
    )
    mesh.end(front + 0.01, (-half * 0.6, half * 0.6, 0.75, 1.25), (34, 35, 37), finest=6)
    mesh.side(
        half * 0.98 + 0.01,
        (split + 0.7, front - 0.25, cab_top - 1.2, cab_top - 0.35),
        GLASS,
        gradient=(1.9, 0.9),
    )
    for sign in (-1, 1):
        left, right = sorted((sign * half, sign * (half + 0.22)))
        mesh.end(front - 0.1, (left, right, cab_top - 1.1, cab_top - 0.45), (30, 30, 32), finest=8)
    _lamps(mesh, half, front, rear, 0.62, lit=truck.lit)
    mesh.wheels(half * 0.97, axles, 0.5, None)
    return mesh


@lru_cache(maxsize=64)
def bus_mesh(bus: Large) -> Mesh:
    """Return the body of a city bus or a coach."""
    rng = np.random.default_rng(bus.seed)
    length, half, top = float(rng.uniform(9.5, 12.5)), 1.27, float(rng.uniform(2.95, 3.4))
    front, rear = length / 2, -length / 2
    paint = hsv(rng.choice([0, 10, 45, 130, 205, 215, 225]), rng.uniform(0.3, 0.85), rng.uniform(0.4, 0.9))
    if rng.random() < 0.25:
        paint = (228, 228, 226)
    mesh = Mesh((0.0, 1.5, 0.0))
    axles = (rear + 2.9, front - 2.5)
    mesh.tyres(half, axles, 0.48)
    mesh.box(half, (rear, front, 0.34, top), paint)
    skirt = scaled(paint, rng.uniform(0.4, 0.8)) if rng.random() < 0.5 else (232, 232, 228)
    mesh.side(half + 0.006, (rear, front, 0.36, 0.85), skirt, gradient=(1.0, 0.8), finest=5)
    glow = float(rng.uniform(0.8, 2.0)) if bus.lit else 0.0
    pane: Colour = (232, 222, 190) if bus.lit and rng.random() < 0.7 else GLASS
    inside = glow if pane != GLASS else 0.0
    mesh.side(half + 0.01, (rear + 0.4, front - 0.25, 1.3, top - 0.5), GLASS, gradient=(1.8, 0.9))
    count = round((length - 1) / 1.45)
    step = (length - 0.8) / count
    for index in range(count):
        z = rear + 0.45 + index * step
        if index in (0, count // 2, count - 1):
            door = (z + 0.08, z + step - 0.08, 0.5, top - 0.5)
            dark = (58, 64, 70)
            mesh.side(half + 0.014, door, dark, emission=inside * 0.8, gradient=(1.5, 0.9), finest=6)
        window = (z + 0.06, z + step - 0.06, 1.4, top - 0.58)
        mesh.side(half + 0.018, window, pane, emission=inside, gradient=(1.0, 0.75), finest=6)
    mesh.end(front + 0.01, (-half * 0.93, half * 0.93, 1.05, top - 0.5), GLASS, gradient=(1.9, 0.8))
    mesh.end(front + 0.015, (-half * 0.8, half * 0.8, top - 0.42, top - 0.12), (26, 26, 28))
    mesh.end(
        front + 0.02,
        (-half * 0.6, half * 0.55, top - 0.36, top - 0.18),
        (255, 160, 40),
        emission=2.5 if bus.lit else 0.4,
        finest=4,
    )
    mesh.end(rear - 0.01, (-half * 0.8, half * 0.8, 1.7, top - 0.4), GLASS, gradient=(1.8, 0.9))
    mesh.end(rear - 0.01, (-half * 0.85, half * 0.85, 0.7, 1.35), scaled(paint, 0.55), finest=5)
    for row in (0.85, 1.0, 1.15):
        mesh.end(rear - 0.015, (-half * 0.7, half * 0.7, row, row + 0.04), BLACK, finest=14)
    mesh.end(front + 0.01, (-half, half, 0.34, 0.5), scaled(paint, 0.5))
    mesh.end(rear - 0.012, (-half, half, 0.34, 0.5), (34, 34, 36))
    _lamps(mesh, half, front, rear, 0.62, lit=bus.lit)
    mesh.wheels(half, axles, 0.48)
    return mesh


TRAM_CAR = 9.0
"""Metres per section of a tram."""


@lru_cache(maxsize=64)
def tram_mesh(tram: Large, end: int) -> Mesh:
    """Return the body of one section of a tram: ``end`` is +1 at its front, −1 at its rear, 0 between."""
    rng = np.random.default_rng(tram.seed)
    half, top, length = 1.2, 3.45, TRAM_CAR
    paint = hsv(rng.choice([0, 5, 45, 120, 205, 220]), rng.uniform(0.4, 0.9), rng.uniform(0.35, 0.85))
    upper: Colour = (232, 230, 222) if rng.random() < 0.6 else paint
    front, rear = length / 2, -length / 2
    mesh = Mesh((0.0, 1.7, 0.0))
    mesh.box(half, (rear + 0.15, front - 0.15, 0.3, top), upper)
    mesh.box(half * 0.86, (rear - 0.15, front + 0.15, 0.45, top - 0.25), (46, 46, 48))
    mesh.side(half + 0.008, (rear + 0.15, front - 0.15, 0.3, 1.35), paint, gradient=(1.0, 0.8))
    mesh.side(half + 0.01, (rear + 0.3, front - 0.3, 1.45, top - 0.65), GLASS, gradient=(1.8, 0.9))
    lit_pane: Colour = (238, 230, 200) if tram.lit else (62, 70, 78)
    for index in range(5):
        z = rear + 0.45 + index * 1.65
        low = 0.5 if index in (1, 3) else 1.52
        mesh.side(
            half + 0.016,
            (z, z + 1.35, low, top - 0.72),
            lit_pane,
            emission=1.6 if tram.lit else 0,
            gradient=(1.0, 0.75),
            finest=4,
        )
        if low < 1:
            mesh.side(half + 0.02, (z + 0.64, z + 0.71, 0.5, top - 0.72), (40, 40, 42), finest=10)
    mesh.box(half * 0.7, (rear + 1.2, front - 1.2, top, top + 0.3), (120, 122, 124))
    mesh.box(half * 0.95, (rear + 0.8, front - 0.8, 0.06, 0.4), (30, 30, 32))
    for sign in (-1, 1):
        if end != sign:
            continue
        z = front - 0.13 if sign > 0 else rear + 0.13
        mesh.box(
            half * 0.97, ((z - 0.1, z + 0.35) if sign > 0 else (z - 0.35, z + 0.1)) + (0.35, top - 0.1), paint
        )
        face = z + sign * 0.37
        mesh.end(face, (-half * 0.85, half * 0.85, 1.45, top - 0.75), GLASS, gradient=(2.0, 0.8))
        mesh.end(
            face,
            (-half * 0.6, half * 0.6, top - 0.62, top - 0.3),
            (255, 170, 50),
            emission=2.5 if tram.lit else 0.3,
        )
        _lamps(mesh, half, face, face, 0.75, lit=tram.lit)
    return mesh


def paint_truck(canvas: Canvas, place: Place, time: float, *, truck: Large) -> None:
    """Draw a lorry at a place."""
    del time
    draw_mesh(canvas, place, truck_mesh(truck), TRUCK)


def paint_bus(canvas: Canvas, place: Place, time: float, *, bus: Large) -> None:
    """Draw a bus at a place."""
    del time
    draw_mesh(canvas, place, bus_mesh(bus), BUS)


def paint_tram(canvas: Canvas, place: Place, time: float, *, tram: Large, sections: int) -> None:
    """Draw the sections of a tram, the farthest first; its place is the middle of the front one."""
    del time
    order = []
    for index in range(sections):
        middle = place.points([[0, 0, -index * TRAM_CAR]])[0]
        end = 1 if index == 0 else -1 if index == sections - 1 else 0
        distance = float(np.linalg.norm(middle - np.asarray(canvas.camera.position)))
        order.append((distance, Place(middle[0], middle[1], middle[2], place.heading), end))
    for _, spot, end in sorted(order, key=lambda item: -item[0]):
        draw_mesh(canvas, spot, tram_mesh(tram, end), TRAIN)
