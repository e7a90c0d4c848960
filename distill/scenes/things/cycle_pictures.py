"""Pictures of bicycles, motorcycles and who rides them, from the side and from the ends."""

from __future__ import annotations

import numpy as np

from distill.scenes.texture import Colour, Texture, hsv, mipmapped, scaled
from distill.scenes.things.people import FINEST, clothes, skin
from distill.scenes.things.sketch import Sketch, Spot

HEIGHT, WIDTH = 2.0, 2.6
"""Metres of the pictures."""
BLACK: Colour = (22, 22, 24)


def _rng(model: int, motor: bool) -> np.random.Generator:
    return np.random.default_rng([model, motor])


def _paint_colour(rng: np.random.Generator) -> Colour:
    if rng.random() < 0.45:
        return hsv(0, 0, rng.uniform(0.08, 0.85))
    return hsv(rng.uniform(0, 360), rng.uniform(0.4, 0.9), rng.uniform(0.25, 0.85))


@mipmapped(2)
def machine_side(model: int, motor: bool, level: int) -> Texture:
    """Draw the machine from its right side, heading right."""
    rng = _rng(model, motor)
    colour = _paint_colour(rng)
    draw = Sketch(WIDTH, HEIGHT, FINEST / 2**level, scaled(colour, 0.5))
    (_motorcycle_side if motor else _bicycle_side)(draw, rng, colour)
    return draw.texture(rng)


def _wheel(draw: Sketch, hub: Spot, radius: float, tyre: float, spokes: int) -> None:
    for angle in np.linspace(0, np.pi, spokes, endpoint=False):
        step = ((radius - tyre) * np.cos(angle), (radius - tyre) * np.sin(angle))
        draw.line(
            [(hub[0] - step[0], hub[1] - step[1]), (hub[0] + step[0], hub[1] + step[1])],
            0.006,
            (150, 150, 152),
        )
    draw.ring(hub, radius - tyre, 0.022, (165, 166, 168))
    draw.ring(hub, radius - tyre / 2, tyre, BLACK)
    draw.disc(hub, 0.04, (90, 90, 92))
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    draw.whole([(hub[0] + radius * np.cos(a), hub[1] + radius * np.sin(a)) for a in angle])


def _bicycle_side(draw: Sketch, rng: np.random.Generator, colour: Colour) -> None:
    rear, front, crank = (-0.53, 0.34), (0.53, 0.34), (-0.06, 0.3)
    seat, head = (-0.22, 0.82), (0.34, 0.84)
    for hub in (rear, front):
        _wheel(draw, hub, 0.34, 0.045, 7)
    step_through = rng.random() < 0.4
    draw.line([rear, crank], 0.03, colour)
    draw.line([rear, (seat[0] + 0.01, seat[1] - 0.06)], 0.03, colour)
    draw.line([crank, seat, (seat[0] - 0.03, 0.94)], 0.042, colour)
    draw.line([crank, (head[0] + 0.02, head[1] - 0.1)], 0.046, colour)
    draw.line([(-0.18, 0.66) if not step_through else (-0.13, 0.5), head], 0.04, colour)
    draw.line([(head[0] - 0.03, 1.02), head, front], 0.04, colour)
    draw.line([(head[0] - 0.02, 1.02), (head[0] + 0.1, 1.05), (head[0] - 0.06, 1.08)], 0.032, BLACK)
    draw.polygon([(-0.4, 0.97), (-0.1, 0.97), (-0.14, 0.91), (-0.34, 0.9)], BLACK)
    draw.ring(crank, 0.085, 0.025, (70, 70, 72))
    turn = rng.uniform(0, np.pi)
    arm = (0.17 * np.cos(turn), 0.17 * np.sin(turn))
    draw.line(
        [(crank[0] - arm[0], crank[1] - arm[1]), (crank[0] + arm[0], crank[1] + arm[1])], 0.03, (60, 60, 62)
    )
    if rng.random() < 0.6:  # mudguards and a rack
        for hub in (rear, front):
            angle = np.linspace(0.6, 2.9, 10)
            draw.line(
                [(hub[0] + 0.37 * np.cos(a), hub[1] + 0.37 * np.sin(a)) for a in angle],
                0.03,
                scaled(colour, 0.7),
            )
        draw.line([(-0.75, 0.74), (-0.28, 0.76)], 0.03, BLACK)
    if rng.random() < 0.35:  # basket or bags
        place = rng.choice([0.55, -0.58])
        draw.polygon(
            [(place - 0.18, 0.98), (place + 0.18, 0.98), (place + 0.14, 0.72), (place - 0.14, 0.72)],
            clothes(rng),
        )
    draw.whole([rear, seat, head, front, crank])


def _motorcycle_side(draw: Sketch, rng: np.random.Generator, colour: Colour) -> None:
    scooter = rng.random() < 0.45
    reach, radius = (0.62, 0.24) if scooter else (0.72, 0.31)
    for hub in ((-reach, radius), (reach, radius)):
        draw.disc(hub, radius, BLACK)
        draw.disc(hub, radius * 0.62, (120, 121, 124))
        draw.disc(hub, radius * 0.5, (58, 58, 60))
        draw.disc(hub, radius * 0.16, (150, 150, 152))
    metal: Colour = (128, 128, 130)
    if scooter:
        draw.polygon(
            [(-0.85, 0.72), (-0.1, 0.74), (-0.02, 0.42), (-0.1, 0.28), (-0.5, 0.28), (-0.88, 0.5)], colour
        )
        draw.polygon([(-0.15, 0.3), (0.38, 0.3), (0.4, 0.4), (-0.12, 0.42)], scaled(colour, 0.6))
        draw.polygon([(0.28, 0.36), (0.4, 0.34), (0.58, 0.98), (0.44, 1.02)], colour)
        draw.polygon([(0.45, 0.5), (0.8, 0.48), (0.72, 0.58), (0.5, 0.62)], colour)
        draw.polygon([(-0.86, 0.82), (-0.12, 0.8), (-0.16, 0.71), (-0.84, 0.72)], BLACK)
        draw.line([(0.5, 1.0), (0.36, 1.1)], 0.05, BLACK)
        draw.disc((0.6, 0.86), 0.07, (210, 212, 210))
        if rng.random() < 0.4:
            draw.polygon([(-1.0, 1.12), (-0.65, 1.12), (-0.65, 0.82), (-1.0, 0.82)], BLACK)
    else:
        draw.polygon([(-0.35, 0.62), (0.3, 0.66), (0.36, 0.34), (0.2, 0.2), (-0.25, 0.2)], (52, 52, 55))
        draw.disc((0.05, 0.38), 0.14, metal)
        draw.line([(0.1, 0.24), (-0.5, 0.26), (-0.95, 0.4)], 0.09, (164, 164, 168))
        draw.line([(-0.72, 0.31), (-0.2, 0.42)], 0.06, (60, 60, 62))
        draw.line([(0.72, 0.31), (0.42, 0.95)], 0.06, metal)
        draw.polygon(
            [(-0.12, 0.78), (0.02, 0.96), (0.36, 0.96), (0.46, 0.8), (0.3, 0.64), (-0.1, 0.66)], colour
        )
        draw.polygon([(-0.95, 0.9), (-0.5, 0.82), (-0.08, 0.82), (-0.06, 0.74), (-0.6, 0.7)], BLACK)
        draw.polygon([(-1.0, 0.9), (-0.6, 0.78), (-0.55, 0.66), (-0.9, 0.74)], colour)
        if rng.random() < 0.6:  # fairing
            draw.polygon([(0.3, 0.94), (0.56, 1.2), (0.72, 0.9), (0.55, 0.5), (0.2, 0.42)], colour)
        draw.disc((0.62, 0.86), 0.09, (214, 216, 214))
        draw.line([(0.44, 0.98), (0.32, 1.06)], 0.05, BLACK)
        draw.polygon([(0.45, 0.66), (1.0, 0.58), (0.85, 0.7), (0.6, 0.72)], scaled(colour, 0.8))
    draw.whole([(-reach, radius), (-reach, 0.7), (reach * 0.8, 0.8), (reach, radius)])


@mipmapped(2)
def rider_side(model: int, motor: bool, stroke: int, level: int) -> Texture:
    """Draw the rider from the right; ``stroke`` is one of 8 phases of pedalling."""
    rng = _rng(model, motor)
    rng.random(40)
    coat, trousers, face = clothes(rng), clothes(rng), skin(rng)
    helmet = clothes(rng)
    draw = Sketch(WIDTH, HEIGHT, FINEST / 2**level, scaled(coat, 0.8))
    if motor:
        hip, shoulder, head, hand = (-0.28, 0.88), (-0.08, 1.42), (0.02, 1.66), (0.36, 1.06)
        feet, crank = [(0.05, 0.36), (0.05, 0.36)], None
    else:
        lean = rng.uniform(0, 0.16)
        hip, shoulder, head, hand = (
            (-0.24, 1.0),
            (0.02 + lean, 1.5 - lean / 3),
            (0.1 + 1.3 * lean, 1.73 - lean / 2),
            (0.3, 1.08),
        )
        angle = stroke * np.pi / 4
        crank = (-0.06, 0.3)
        feet = [
            (crank[0] + s * 0.17 * np.cos(angle), crank[1] - s * 0.17 * np.sin(angle) + 0.05) for s in (-1, 1)
        ]
    for foot, shade in zip(feet, (0.7, 1.0), strict=True):
        knee = ((hip[0] + foot[0]) / 2 + 0.24, (hip[1] + foot[1]) / 2 + 0.12)
        draw.limb([hip, knee, (foot[0], foot[1] + 0.05)], [0.2, 0.14, 0.09], scaled(trousers, shade))
        draw.polygon(
            [
                (foot[0] - 0.08, foot[1] + 0.05),
                (foot[0] + 0.04, foot[1] + 0.06),
                (foot[0] + 0.16, foot[1] - 0.02),
                (foot[0] - 0.08, foot[1] - 0.03),
            ],
            BLACK,
        )
    draw.limb([hip, shoulder], [0.3, 0.3], coat)
    if not motor and rng.random() < 0.3:
        draw.polygon(
            [
                (shoulder[0] - 0.14, shoulder[1]),
                (shoulder[0] - 0.36, shoulder[1] - 0.12),
                (hip[0] - 0.24, hip[1] + 0.16),
                (hip[0] - 0.1, hip[1] + 0.12),
            ],
            clothes(rng),
        )
    elbow = ((shoulder[0] + hand[0]) / 2 - 0.02, (shoulder[1] + hand[1]) / 2 - 0.09)
    draw.limb([(shoulder[0], shoulder[1] - 0.05), elbow, hand], [0.13, 0.11, 0.08], scaled(coat, 1.15))
    draw.disc(hand, 0.05, face)
    draw.disc(head, 0.12, face, 0.82)
    if motor:
        draw.disc((head[0] - 0.01, head[1] + 0.02), 0.15, helmet)
        draw.polygon(
            [
                (head[0] + 0.04, head[1] + 0.07),
                (head[0] + 0.15, head[1] + 0.05),
                (head[0] + 0.13, head[1] - 0.05),
                (head[0] + 0.04, head[1] - 0.03),
            ],
            BLACK,
        )
    else:
        draw.disc((head[0] - 0.02, head[1] + 0.06), 0.1, helmet, 1.25)
    return draw.texture(rng)


@mipmapped(2)
def machine_end(model: int, motor: bool, from_rear: bool, level: int) -> Texture:
    """Draw the machine from the rear or the front."""
    rng = _rng(model, motor)
    colour = _paint_colour(rng)
    draw = Sketch(WIDTH, HEIGHT, FINEST / 2**level, BLACK)
    lamp: Colour = (200, 22, 18) if from_rear else (250, 248, 235)
    if motor:
        draw.polygon([(-0.08, 0.62), (0.08, 0.62), (0.08, 0.0), (-0.08, 0.0)], BLACK)
        draw.polygon([(-0.2, 0.95), (0.2, 0.95), (0.16, 0.5), (-0.16, 0.5)], colour)
        draw.polygon([(-0.28, 0.6), (-0.15, 0.62), (-0.15, 0.3), (-0.26, 0.32)], (140, 140, 144))
        draw.line([(-0.38, 1.06), (-0.1, 0.98), (0.1, 0.98), (0.38, 1.06)], 0.05, BLACK)
        for sign in (-1, 1):
            draw.disc((sign * 0.36, 1.16), 0.06, (60, 62, 64), 1.4)
        draw.disc((0, 0.78), 0.08, lamp, 1.5)
        if from_rear:
            draw.polygon([(-0.1, 0.64), (0.1, 0.64), (0.1, 0.5), (-0.1, 0.5)], (224, 224, 218))
    else:
        draw.polygon([(-0.025, 0.68), (0.025, 0.68), (0.025, 0.0), (-0.025, 0.0)], BLACK)
        draw.line([(0, 0.6), (0, 0.95)], 0.04, colour)
        draw.line([(-0.06, 0.36), (0, 0.9), (0.06, 0.36)], 0.025, colour)
        draw.line([(-0.29, 1.05), (-0.1, 1.02), (0.1, 1.02), (0.29, 1.05)], 0.035, BLACK)
        draw.polygon([(-0.08, 0.97), (0.08, 0.97), (0.06, 0.91), (-0.06, 0.91)], BLACK)
        draw.line([(-0.15, 0.3), (0.15, 0.3)], 0.035, (80, 80, 82))
        draw.disc((0, 0.72 if from_rear else 0.9), 0.035, lamp)
    draw.whole([(-0.1, 0), (0.1, 0), (0.14, 0.9), (-0.14, 0.9)])
    return draw.texture(rng)


@mipmapped(2)
def rider_end(model: int, motor: bool, stroke: int, from_rear: bool, level: int) -> Texture:
    """Draw the rider from the rear or the front."""
    rng = _rng(model, motor)
    rng.random(40)
    coat, trousers, face = clothes(rng), clothes(rng), skin(rng)
    helmet = clothes(rng)
    draw = Sketch(WIDTH, HEIGHT, FINEST / 2**level, scaled(coat, 0.8))
    lift = 0.12 * np.sin(stroke * np.pi / 4)
    for sign in (-1, 1):
        foot = 0.36 if motor else 0.34 + sign * lift
        out = 0.24 if motor else 0.13
        draw.limb(
            [(sign * 0.1, 0.98), (sign * (out + 0.05), 0.66 + (foot - 0.34) / 2), (sign * out, foot)],
            [0.19, 0.15, 0.1],
            trousers,
        )
        draw.polygon(
            [
                (sign * out - 0.05, foot + 0.03),
                (sign * out + 0.05, foot + 0.03),
                (sign * out + 0.06, foot - 0.07),
                (sign * out - 0.06, foot - 0.07),
            ],
            BLACK,
        )
        draw.limb(
            [(sign * 0.2, 1.42), (sign * 0.34, 1.22), (sign * 0.28, 1.06)],
            [0.13, 0.11, 0.08],
            scaled(coat, 0.9),
        )
    draw.polygon([(-0.21, 1.47), (0.21, 1.47), (0.2, 1.15), (0.19, 0.92), (-0.19, 0.92), (-0.2, 1.15)], coat)
    draw.polygon([(0.04, 1.47), (0.21, 1.47), (0.2, 1.15), (0.19, 0.92), (0.05, 0.92)], scaled(coat, 0.86))
    draw.polygon([(-0.05, 1.56), (0.05, 1.56), (0.07, 1.45), (-0.07, 1.45)], face)
    draw.disc((0, 1.66), 0.12, helmet if from_rear or motor else face, 0.82)
    draw.disc((0, 1.7), 0.11, helmet, 1.05)
    if motor:
        draw.disc((0, 1.67), 0.15, helmet, 0.95)
        if not from_rear:
            draw.polygon([(-0.1, 1.72), (0.1, 1.72), (0.1, 1.62), (-0.1, 1.62)], BLACK)
    return draw.texture(rng)
