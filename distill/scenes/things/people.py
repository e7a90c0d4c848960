"""People on foot: figures with limbs, clothes and things they carry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from distill.scenes.canvas import Canvas
from distill.scenes.labels import PERSON
from distill.scenes.layout import Place
from distill.scenes.texture import Colour, Texture, hsv, mipmapped, scaled
from distill.scenes.things.plants import face_camera
from distill.scenes.things.sketch import Sketch

FINEST = 128.0
"""Pixels per metre of the finest figure."""
STOCK = 96
"""Different figures; tint and height make more of them."""
FIGURE = (2.3, 1.4)
"""Height and width of the pictures in metres."""
View = Literal["front", "back", "side"]


def clothes(rng: np.random.Generator) -> Colour:
    """Draw a random colour of clothes: mostly dark or grey, sometimes bright."""
    if rng.random() < 0.6:
        return hsv(rng.uniform(0, 360), rng.uniform(0, 0.3), rng.uniform(0.08, 0.5))
    return hsv(rng.uniform(0, 360), rng.uniform(0.3, 0.85), rng.uniform(0.3, 0.9))


def skin(rng: np.random.Generator) -> Colour:
    """Draw a random skin colour."""
    return hsv(rng.uniform(14, 28), rng.uniform(0.3, 0.55), rng.uniform(0.35, 0.9))


@dataclass(frozen=True)
class Person:
    """Someone on foot: one of the stock of figures, scaled and tinted."""

    figure: int
    height: float
    walking: bool
    tint: tuple[float, float, float]


@dataclass(frozen=True)
class _Look:
    """Build and clothes of a figure."""

    coat: Colour
    trousers: Colour
    face: Colour
    shoes: Colour
    build: float
    """Breadth of the body relative to the average."""
    skirt: bool
    long_coat: bool

    @property
    def legs(self) -> Colour:
        """Colour of the legs: bare below a skirt."""
        return self.face if self.skirt else self.trousers

    @property
    def hem(self) -> float:
        """Height of the lower edge of coat or skirt, metres."""
        return 0.55 if self.long_coat or self.skirt else 0.86


@mipmapped(2)
def figure(seed: int, walking: bool, view: View, stride: int, level: int) -> Texture:
    """Draw a figure at one of 8 phases of the stride, halved ``level`` times."""
    rng = np.random.default_rng([seed, 3])
    coat, trousers, face = clothes(rng), clothes(rng), skin(rng)
    hair: Colour = hsv(rng.uniform(10, 45), rng.uniform(0.1, 0.6), rng.uniform(0.06, 0.6))
    build, long_coat, skirt = rng.uniform(0.85, 1.25), rng.random() < 0.3, rng.random() < 0.15
    hat, bag, pack = rng.random() < 0.3, rng.random() < 0.25, rng.random() < 0.25
    umbrella, shoes = rng.random() < 0.14, scaled(trousers, 0.5)
    accent = clothes(rng)
    look = _Look(coat, trousers, face, shoes, build, skirt, long_coat)
    draw = Sketch(FIGURE[1], FIGURE[0], FINEST / 2**level, scaled(coat, 0.8))
    swing = np.sin(stride * np.pi / 4) * (1.0 if walking else 0.12)
    if view == "side":
        _side(draw, swing, look)
        if pack:
            draw.polygon([(-0.15, 1.42), (-0.34, 1.36), (-0.36, 1.0), (-0.14, 0.98)], accent)
        head = (0.03, 1.62)
    else:
        _upright(draw, swing, look)
        if pack and view == "back":
            draw.polygon([(-0.15, 1.42), (0.15, 1.42), (0.17, 1.02), (-0.17, 1.02)], accent)
        head = (0.0, 1.62)
    if bag:
        draw.polygon([(0.22, 0.85), (0.4, 0.85), (0.42, 0.55), (0.2, 0.55)], accent)
        draw.line([(0.25, 1.35), (0.3, 0.85)], 0.025, accent)
    draw.disc(head, 0.115, face, 0.78)
    if view == "back":
        draw.disc((head[0], head[1] + 0.01), 0.118, hair, 0.82)
    else:
        draw.disc((head[0] - (0.03 if view == "side" else 0), head[1] + 0.055), 0.085, hair, 1.1)
    if hat:
        draw.disc((head[0], head[1] + 0.075), 0.085, accent, 1.2)
    if umbrella:
        draw.line([(0.2, 1.1), (0.12, 2.0)], 0.02, (40, 40, 44))
        angle = np.linspace(0, np.pi, 14)
        draw.polygon([(0.1 + 0.55 * np.cos(a), 1.82 + 0.36 * np.sin(a)) for a in angle], accent)
    return draw.texture(rng)


def _upright(draw: Sketch, swing: float, look: _Look) -> None:
    """Draw a figure seen from the front or the back; the stride lifts one foot above the other.

    :param swing: place in the stride, −1 (right foot lifted) to 1 (left foot lifted).
    """
    hip, chest = 0.1 * look.build, 0.2 * look.build
    for sign in (-1, 1):
        lift = 0.1 * max(0.0, sign * swing)
        draw.limb(
            [(sign * hip, 0.92), (sign * hip * 1.05, 0.5 + lift / 2), (sign * hip, 0.08 + lift)],
            [0.2 * look.build, 0.14, 0.1],
            look.legs,
        )
        draw.polygon(
            [
                (sign * hip - 0.06, 0.1 + lift),
                (sign * hip + 0.06, 0.1 + lift),
                (sign * hip + 0.07, lift),
                (sign * hip - 0.07, lift),
            ],
            look.shoes,
        )
        bend = 0.06 * sign * swing
        draw.limb(
            [
                (sign * (chest - 0.03), 1.39),
                (sign * (chest + 0.05), 1.13),
                (sign * (chest + 0.04), 0.86 + bend),
            ],
            [0.12, 0.1, 0.08],
            scaled(look.coat, 0.9),
        )
        draw.disc((sign * (chest + 0.05), 0.82 + bend), 0.05, look.face)
    low = look.hem
    flare = hip + 0.16 if look.long_coat or look.skirt else hip + 0.1
    half = [
        (0.07, 1.5),
        (chest * 0.8, 1.46),
        (chest, 1.38),
        (chest * 0.94, 1.15),
        (hip + 0.07, 0.98),
        (flare, low),
    ]
    draw.polygon([*half, *[(-x, y) for x, y in reversed(half)]], look.coat)
    draw.polygon([(0.03, 1.5), *half, (0.05, low)], scaled(look.coat, 0.86))
    draw.polygon([(-0.05, 1.57), (0.05, 1.57), (0.065, 1.47), (-0.065, 1.47)], scaled(look.face, 0.9))


def _side(draw: Sketch, swing: float, look: _Look) -> None:
    """Draw a figure seen from the side, walking to the right.

    :param swing: reach of the nearer foot, −1 (back) to 1 (forward); the other is at its opposite.
    """
    for sign, shade in ((-1, 0.75), (1, 1.0)):
        reach = sign * swing
        knee = (0.02 + 0.2 * reach, 0.5)
        # A foot that is back lifts its heel.
        ankle = (0.36 * reach - 0.06 * (reach < 0), 0.09 + 0.06 * (reach < 0) * abs(reach))
        draw.limb([(0.0, 0.92), knee, ankle], [0.2 * look.build, 0.14, 0.1], scaled(look.legs, shade))
        draw.polygon(
            [
                (ankle[0] - 0.07, ankle[1] + 0.02),
                (ankle[0] + 0.05, ankle[1] + 0.02),
                (ankle[0] + 0.18, ankle[1] - 0.08),
                (ankle[0] - 0.07, ankle[1] - 0.09),
            ],
            look.shoes,
        )
        if sign < 0:
            draw.limb(
                [(0, 1.4), (-0.18 * reach - 0.02, 1.14), (-0.3 * reach + 0.06, 0.9)],
                [0.13, 0.11, 0.08],
                scaled(look.coat, 0.7),
            )
    low = look.hem
    chest = 0.14 * look.build
    draw.polygon(
        [
            (-chest, 1.45),
            (chest * 0.8, 1.46),
            (chest, 1.15),
            (chest + 0.02, low),
            (-chest - 0.02, low),
            (-chest, 1.15),
        ],
        look.coat,
    )
    draw.limb(
        [(0, 1.4), (-0.18 * swing - 0.02, 1.14), (-0.3 * swing + 0.06, 0.9)],
        [0.13, 0.11, 0.08],
        scaled(look.coat, 1.12),
    )
    draw.disc((-0.3 * swing + 0.06, 0.87), 0.05, look.face)
    draw.polygon([(-0.05, 1.55), (0.06, 1.55), (0.06, 1.44), (-0.06, 1.44)], look.face)


def paint_person(canvas: Canvas, place: Place, time: float, *, person: Person) -> None:
    """Draw a person walking along the place's heading."""
    x, _, z = canvas.camera.position
    relative = place.heading - np.arctan2(place.x - x, place.z - z)
    across = np.sin(relative)
    view: View = "side" if abs(across) > 0.5 else "back" if np.cos(relative) > 0 else "front"
    stride = int(time * 7 + person.figure) % 8 if person.walking else person.figure % 8
    scale = person.height / 1.75
    mirror = -1.0 if view == "side" and across < 0 else 1.0
    face_camera(
        canvas,
        place,
        partial(figure, person.figure, person.walking, view, stride),
        FIGURE[0] * scale,
        FIGURE[1] * scale * mirror,
        PERSON,
        round(FIGURE[0] * FINEST),
        person.tint,
    )
