"""Poles and what they carry: street lamps, traffic lights, signs."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from distill.scenes.canvas import Canvas
from distill.scenes.labels import POLE, TRAFFIC_LIGHT, TRAFFIC_SIGN
from distill.scenes.layout import Place, Side, Street, Thing
from distill.scenes.texture import Colour, hsv
from distill.scenes.things.signs import SIGNS, VARIANTS, SignKind, sign_picture

LIGHT_CYCLE = 14.0
"""Seconds from one green to the next."""


def upright(
    canvas: Canvas, place: Place, bottom: float, top: float, width: float, colour: Colour, label: int = POLE
) -> None:
    """Draw a post, shaded as a round one by a lit and a dark half."""
    x, _, z = canvas.camera.position
    away = np.array([place.x - x, place.z - z])
    distance = float(np.hypot(*away))
    if distance < 0.5:
        return
    half = np.array([away[1], 0, -away[0]]) / distance * max(width, distance / canvas.camera.focal) / 2
    foot, head = np.array([place.x, place.y + bottom, place.z]), np.array([place.x, place.y + top, place.z])
    canvas.polygon([foot - half, head - half, head + half, foot + half], colour, label)
    dark: Colour = (round(colour[0] * 0.6), round(colour[1] * 0.6), round(colour[2] * 0.6))
    if canvas.camera.focal * width / distance > 2:
        canvas.polygon([foot + half * 0.2, head + half * 0.2, head + half, foot + half], dark, label)


def beam(
    canvas: Canvas,
    start: npt.NDArray[np.float64],
    stop: npt.NDArray[np.float64],
    width: float,
    colour: Colour,
) -> None:
    """Draw a straight arm between two world points, turned to the camera."""
    eye = np.asarray(canvas.camera.position)
    side = np.cross(stop - start, (start + stop) / 2 - eye)
    length = float(np.linalg.norm(side))
    if length < 1e-6:
        return
    half = side / length * max(width, float(np.linalg.norm(start - eye)) / canvas.camera.focal) / 2
    canvas.polygon([start - half, stop - half, stop + half, start + half], colour, POLE)


def paint_lamp(
    canvas: Canvas, place: Place, time: float, *, height: float, arm: float, colour: Colour
) -> None:
    """Draw a street lamp whose arm reaches over the road by ``arm`` metres (local x)."""
    del time
    upright(canvas, place, 0, height, 0.16, colour)
    top, tip = place.points([[0, height - 0.1, 0], [arm, height + 0.25, 0]])
    beam(canvas, top, tip, 0.09, colour)
    head = place.points([[arm - 0.45, height + 0.25, 0], [arm + 0.35, height + 0.25, 0]])
    beam(canvas, head[0], head[1], 0.16, (88, 90, 92))
    bulb = head - np.array([0, 0.11, 0])
    start, stop = bulb[0] * 0.75 + bulb[1] * 0.25, bulb[0] * 0.25 + bulb[1] * 0.75
    half = np.array([0, 0.05, 0])
    canvas.polygon([start - half, start + half, stop + half, stop - half], (255, 214, 150), POLE, emission=14)


def paint_traffic_light(
    canvas: Canvas, place: Place, time: float, *, phase: float, colour: Colour, mast: float
) -> None:
    """Draw a signal facing −z on its post, or hung from a mast arm ``mast`` metres long (local x) as well."""
    upright(canvas, place, 0, 3.6 if not mast else 6.0, 0.13, colour)
    heads = [(0.0, 2.5)]
    if mast:
        start, stop = place.points([[0, 5.8, 0], [mast, 5.9, 0]])
        beam(canvas, start, stop, 0.12, colour)
        heads.append((mast, 5.2))
    rim: Colour = (226, 226, 222) if phase < 0.5 else (18, 19, 20)
    share = np.mod(time / LIGHT_CYCLE + phase, 1)
    lit = 2 if share < 0.45 else 1 if share < 0.53 else 0
    for across, bottom in heads:
        at = np.array([across, bottom, 0])
        board = np.array([[-0.3, -0.12, -0.1], [-0.3, 1.07, -0.1], [0.3, 1.07, -0.1], [0.3, -0.12, -0.1]])
        canvas.polygon(place.points(board + at), rim, TRAFFIC_LIGHT)
        canvas.polygon(place.points(board * (0.88, 0.95, 1.1) + at), (16, 17, 18), TRAFFIC_LIGHT)
        box = np.array([[-0.17, 0, -0.12], [-0.17, 0.95, -0.12], [0.17, 0.95, -0.12], [0.17, 0, -0.12]])
        canvas.polygon(place.points(box + at), (24, 26, 27), TRAFFIC_LIGHT)
        if canvas.camera.focal / max(place.z - canvas.camera.position[2], 1) < 4:
            continue
        for index, lamp in enumerate(((255, 40, 25), (255, 180, 30), (40, 255, 150))):
            angle = np.linspace(0, 2 * np.pi, 10, endpoint=False)
            disc = np.stack([0.11 * np.cos(angle), 0.11 * np.sin(angle), np.full(10, -0.14)], 1)
            disc += at + np.array([0, 0.78 - 0.3 * index, 0])
            dim: Colour = (lamp[0] // 6, lamp[1] // 6, lamp[2] // 6)
            canvas.polygon(
                place.points(disc),
                lamp if index == lit else dim,
                TRAFFIC_LIGHT,
                emission=7.0 * (index == lit),
            )


def paint_sign(
    canvas: Canvas,
    place: Place,
    time: float,
    *,
    kinds: tuple[SignKind, ...],
    variant: int,
    height: float,
    turn: float,
) -> None:
    """Draw one or two plates on a post, facing −z but for a small turn."""
    del time
    upright(canvas, place, 0, height + 0.35, 0.07, (150, 152, 150))
    turned = Place(place.x, place.y, place.z, place.heading + turn)
    level_at = canvas.camera.focal / max(place.z - canvas.camera.position[2], 1)
    for index, kind in enumerate(kinds):
        size = 0.7 if kind != "guide" else 0.8
        width = size * (1.5 if kind == "guide" else 1)
        top = height + 0.35 - 0.75 * index
        corner, right, down = turned.points(
            [[-width / 2, top, -0.06], [width / 2, top, -0.06], [-width / 2, top - size, -0.06]]
        )
        level = int(np.clip(np.floor(np.log2(64 / max(level_at * size, 1)) + 0.3), 0, 4))
        canvas.picture(
            corner, right - corner, down - corner, partial(sign_picture, kind, variant, level), TRAFFIC_SIGN
        )


def add_furniture(rng: np.random.Generator, street: Street) -> None:
    """Add lamps in a row, signals and signs at the crossings, signs between them."""
    metal: Colour = hsv(rng.uniform(90, 220), rng.uniform(0, 0.2), rng.uniform(0.25, 0.65))
    step, height = float(rng.uniform(22, 36)), float(rng.uniform(5.5, 8.5))
    lit_sides = street.sides if rng.random() < 0.5 else street.sides[:: int(rng.choice([1, -1]))][:1]
    for number, side in enumerate(lit_sides):
        offset = side.sign * (street.half_width(side.sign) + 0.55)
        for z in np.arange(float(rng.uniform(2, step)) + number * step / 2, street.length, step):
            if not any(start - 1 < z < stop + 1 for start, stop in street.crossings):
                arm = -side.sign * float(rng.uniform(1.3, 1.7))
                paint = partial(paint_lamp, height=height, arm=arm, colour=metal)
                lamps = ((arm, height, 0.0),)
                street.things.append(
                    Thing(paint, offset, float(z), y=street.kerb, seen=130.0, lamps=lamps, lights_street=True)
                )
    for start, stop in street.crossings:
        _crossing(rng, street, start, stop, metal)
    for side in street.sides:
        z = float(rng.uniform(4, 25))
        while z < street.length:
            if not any(start - 2 < z < stop + 2 for start, stop in street.crossings):
                _add_sign(rng, street, side, z)
            z += float(rng.uniform(10, 45))


def _add_sign(
    rng: np.random.Generator, street: Street, side: Side, z: float, kind: SignKind | None = None
) -> None:
    chosen = [kind or SIGNS[rng.integers(len(SIGNS))]]
    if rng.random() < 0.3:
        chosen.append(SIGNS[rng.integers(len(SIGNS) - 2)])
    paint = partial(
        paint_sign,
        kinds=tuple(chosen),
        variant=int(rng.integers(VARIANTS)),
        height=float(rng.uniform(2.2, 2.9)),
        turn=float(rng.normal(0, 0.2)),
    )
    offset = side.sign * (street.half_width(side.sign) + float(rng.uniform(0.4, 0.9)))
    street.things.append(Thing(paint, offset, z, y=street.kerb, seen=95.0))


def _crossing(rng: np.random.Generator, street: Street, start: float, stop: float, metal: Colour) -> None:
    if rng.random() < 0.72:
        phase, mast = float(rng.random()), float(rng.uniform(3, 5)) if rng.random() < 0.25 else 0.0
        for side in street.sides:
            spots = [start - 1.2] if side.sign > 0 else [start - 1.0, stop + 1.0][: int(rng.integers(1, 3))]
            for z in spots:
                arm = -side.sign * mast if side.sign > 0 else 0.0
                paint = partial(paint_traffic_light, phase=phase, colour=metal, mast=arm)
                offset = side.sign * (street.half_width(side.sign) + 0.5)
                street.things.append(Thing(paint, offset, z, y=street.kerb))
    else:
        rules: tuple[SignKind, ...] = ("yield", "stop", "priority")
        _add_sign(rng, street, street.sides[1], start - 1.5, rules[rng.integers(3)])
