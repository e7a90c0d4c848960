"""Walls, fences and hedges: upright strips that follow the street."""

from __future__ import annotations

from typing import Final, Literal

import cv2
import numpy as np

from distill.scenes.labels import FENCE, VEGETATION, WALL
from distill.scenes.texture import Bytes, Texture, hsv, mipmapped, noise_patch, scaled
from distill.scenes.things.surfaces import Material, surface, wall_colour

Barrier = Literal["wall", "low wall", "fence", "hedge"]
LABELS: Final[dict[Barrier, int]] = {"wall": WALL, "low wall": WALL, "fence": FENCE, "hedge": VEGETATION}
HEIGHTS: Final[dict[Barrier, tuple[float, float]]] = {
    "wall": (1.2, 3.0),
    "low wall": (0.5, 0.9),
    "fence": (0.9, 2.0),
    "hedge": (0.8, 2.2),
}
"""Least and greatest height in metres."""
PERIOD = 16.0
"""Metres of strip drawn before it repeats."""
STOCK = 20
"""Different ones of each kind."""
FINEST = 64
"""Pixels per metre at level 0."""


def height_of(kind: Barrier, seed: int) -> float:
    """Return the height in metres of one of the stock."""
    return float(np.random.default_rng([seed, 1]).uniform(*HEIGHTS[kind]))


@mipmapped(1)
def barrier(kind: Barrier, seed: int, level: int) -> Texture:
    """Return the texture of one of the stock, ``PERIOD`` metres long, halved ``level`` times."""
    rng, ppm = np.random.default_rng([seed, len(kind)]), FINEST >> level
    rows, columns = round(height_of(kind, seed) * ppm), round(PERIOD * ppm)
    if kind == "hedge":
        return _hedge(rng, rows, columns, ppm)
    if kind == "fence":
        return _fence(rng, rows, columns, ppm)
    return _wall(rng, rows, columns, ppm)


def _wall(rng: np.random.Generator, rows: int, columns: int, ppm: int) -> Texture:
    """Draw a garden or retaining wall with coping, at times with pillars or scrawls."""
    materials: tuple[Material, ...] = ("brick", "concrete", "stone", "plaster")
    material = materials[rng.integers(4)]
    colour = wall_colour(rng, material)
    rgb = surface(rng, material, colour, rows, columns, ppm)
    stain = 1 - 0.25 * np.clip(noise_patch(rng, rows, columns, 8), 0, 2) * np.linspace(1, 0.2, rows)[:, None]
    rgb = np.clip(rgb * stain[..., None], 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        for x in np.arange(0, PERIOD, rng.uniform(2.5, 4)):
            rgb[:, round(x * ppm) : round((x + 0.45) * ppm)] = scaled(colour, 0.85)
    rgb[: max(1, round(0.12 * ppm))] = scaled(colour, 1.25)
    if rng.random() < 0.3:
        _scrawl(rng, rgb, ppm)
    return Texture(np.dstack([rgb, np.full((rows, columns), 255, np.uint8)]), opaque=True)


def _scrawl(rng: np.random.Generator, rgb: Bytes, ppm: int) -> None:
    """Spray a few loops on a wall."""
    rows, columns = rgb.shape[:2]
    for _ in range(3):
        start = rng.uniform([0.1 * columns, 0.3 * rows], [0.9 * columns, 0.8 * rows])
        line = start + np.cumsum(rng.normal((0.15 * ppm, 0), 0.3 * ppm, (14, 2)), 0)
        line[:, 1] = line[:, 1].clip(0.15 * rows, 0.95 * rows)
        colour = hsv(rng.uniform(0, 360), rng.uniform(0.2, 0.9), rng.uniform(0.1, 0.9))
        points = np.rint(line).astype(np.int32)
        cv2.polylines(rgb, [points], False, colour, max(1, round(0.05 * ppm)), cv2.LINE_AA)


def _fence(rng: np.random.Generator, rows: int, columns: int, ppm: int) -> Texture:
    """Draw pickets, boards, bars or wire mesh; the label covers the gaps too, as annotators paint it."""
    y, x = np.arange(rows)[:, None] / ppm, np.arange(columns)[None] / ppm
    height = rows / ppm
    kind = str(rng.choice(["pickets", "boards", "bars", "mesh"]))
    if kind in ("pickets", "boards"):
        colour = wall_colour(rng, "wood") if rng.random() < 0.7 else (228, 228, 222)
    else:
        value = rng.uniform(0.1, 0.35) if rng.random() < 0.5 else rng.uniform(0.5, 0.9)
        colour = hsv(rng.uniform(0, 360), rng.uniform(0, 0.25), value)
    posts = np.mod(x, 2.0) < 0.08
    if kind == "pickets":
        pitch, share = rng.uniform(0.12, 0.2), rng.uniform(0.55, 0.7)
        tip = 0.5 * np.abs(np.mod(x, pitch) / pitch - share / 2) * pitch
        solid = (np.mod(x, pitch) < pitch * share) & (y > tip)
        solid |= (np.abs(y - 0.2 * height) < 0.05) | (np.abs(y - 0.75 * height) < 0.05)
    elif kind == "boards":
        solid = np.broadcast_to(y > 0.04, (rows, columns))
    elif kind == "bars":
        solid = (np.mod(x, 0.14) < 0.045) | (y < 0.06) | (np.abs(y - 0.92 * height) < 0.03) | posts
    else:
        solid = (np.mod(x + y, 0.12) < 0.03) | (np.mod(x - y, 0.12) < 0.03) | (y < 0.05) | posts
    rgb = surface(rng, "wood" if kind == "boards" else "plaster", colour, rows, columns, ppm)
    alpha = np.where(solid, 255, 0).astype(np.uint8)
    return Texture(np.dstack([rgb, alpha]), cover=np.full(alpha.shape, 255, np.uint8))


def _hedge(rng: np.random.Generator, rows: int, columns: int, ppm: int) -> Texture:
    """Draw a leafy strip with an uneven top."""
    leaves = noise_patch(rng, rows, columns, 512 // ppm * 2, 6)
    base = np.array(hsv(rng.uniform(60, 120), rng.uniform(0.25, 0.6), rng.uniform(0.25, 0.45)), np.float32)
    light = np.linspace(1.2, 0.6, rows)[:, None]
    rgb = np.clip(base * ((1 + 0.28 * leaves) * light)[..., None], 0, 255).astype(np.uint8)
    height = rows / ppm
    wave = rng.uniform(0.03, 0.16) * height * (1 + noise_patch(rng, 1, columns, 8, 5)[0])
    solid = np.arange(rows)[:, None] / ppm > np.clip(wave, 0, 0.6 * height)
    return Texture(np.dstack([rgb, np.where(solid, 255, 0).astype(np.uint8)]))
