"""Wall materials as sRGB pictures: brick, plaster, concrete, stone, wood."""

from __future__ import annotations

from typing import Literal

import numpy as np

from distill.scenes.texture import Bytes, Colour, Floats, hsv, noise_patch

Material = Literal["plaster", "brick", "concrete", "stone", "wood"]


def wall_colour(rng: np.random.Generator, material: Material) -> Colour:
    """Draw a random plausible colour for the material."""
    if material == "brick":
        return hsv(rng.uniform(4, 28), rng.uniform(0.3, 0.6), rng.uniform(0.35, 0.68))
    if material == "wood":
        return hsv(rng.uniform(18, 40), rng.uniform(0.2, 0.55), rng.uniform(0.3, 0.65))
    if material == "concrete":
        return hsv(rng.uniform(30, 220), rng.uniform(0.0, 0.07), rng.uniform(0.42, 0.78))
    if material == "stone":
        return hsv(rng.uniform(25, 50), rng.uniform(0.06, 0.25), rng.uniform(0.45, 0.8))
    saturation = rng.uniform(0.02, 0.5) if rng.random() < 0.6 else rng.uniform(0.0, 0.12)
    return hsv(
        rng.choice([20, 32, 42, 50, 8, 200, 95]) + rng.uniform(-8, 8), saturation, rng.uniform(0.55, 0.95)
    )


def surface(
    rng: np.random.Generator, material: Material, colour: Colour, height: int, width: int, ppm: float
) -> Bytes:
    """Draw a piece of wall of that many pixels at ``ppm`` pixels per metre, [height,width,3]."""
    grain = {"plaster": 0.035, "brick": 0.06, "concrete": 0.05, "stone": 0.07, "wood": 0.05}[material]
    shade = 1 + grain * noise_patch(rng, height, width, 64, 3) + 0.04 * noise_patch(rng, height, width, 4, 3)
    size = {"brick": (0.075, 0.25), "stone": (0.4, 0.8), "concrete": (1.2, 2.4), "wood": (20.0, 0.14)}.get(
        material
    )
    if size is not None:
        shade *= _courses(rng, height, width, ppm, *size, offset=material in ("brick", "stone"))
    base = np.array(colour, np.float32)
    return np.clip(base * shade[..., None], 0, 255).astype(np.uint8)


def _courses(
    rng: np.random.Generator, height: int, width: int, ppm: float, row: float, column: float, *, offset: bool
) -> Floats:
    """Return the brightness of blocks laid in courses, with joints where the picture resolves them."""
    y, x = np.arange(height) / (row * ppm), np.arange(width) / (column * ppm)
    course = np.floor(y).astype(int)
    shift = 0.5 * (course % 2) if offset else np.zeros(height)
    across = x[None] + shift[:, None]
    block = np.floor(across).astype(int)
    table = rng.normal(1, 0.07 if offset else 0.03, 257).astype(np.float32)
    shade = table[(block * 31 + course[:, None] * 57) % 257]
    visible = np.clip(np.array([row, column]) * ppm / 3 - 0.6, 0, 1)
    joint_y = (np.mod(y, 1) < max(0.1, 1 / (row * ppm)))[:, None] * (0.25 * visible[0])
    joint_x = (np.mod(across, 1) < max(0.04, 1 / (column * ppm))) * (0.22 * visible[1])
    return (shade * (1 - np.maximum(joint_x, joint_y))).astype(np.float32)
