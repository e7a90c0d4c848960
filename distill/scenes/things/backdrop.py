"""What closes the view at the end of the street: roofs, trees and hills far away."""

from __future__ import annotations

import numpy as np

from distill.scenes.canvas import Canvas
from distill.scenes.labels import BUILDING, VEGETATION
from distill.scenes.layout import Street
from distill.scenes.texture import Texture, hsv, noise_patch

DISTANCE = 195.0
"""Metres ahead of the camera; the backdrop moves with it, as far things seem to."""
WIDTH, HEIGHT = 420.0, 30.0


def draw_backdrop(canvas: Canvas, street: Street) -> None:
    """Draw a row of far houses and, in front of it, a row of far trees."""
    rng = np.random.default_rng([street.seed, 5])
    x, _, z = canvas.camera.position
    left = x - WIDTH / 2
    while left < x + WIDTH / 2:
        width, height = float(rng.uniform(10, 34)), float(rng.uniform(5, 20))
        if rng.random() < 0.6:
            colour = hsv(rng.uniform(10, 240), rng.uniform(0, 0.25), rng.uniform(0.35, 0.75))
            base = np.array([left, 0, z + DISTANCE + 4])
            canvas.polygon(
                base + np.array([[0, 0, 0], [0, height, 0], [width, height, 0], [width, 0, 0]]),
                colour,
                BUILDING,
            )
        left += width + float(rng.exponential(8))
    columns, rows = 512, 64
    line = noise_patch(rng, 1, columns, 16, 6)[0] * 0.12 + rng.uniform(0.15, 0.4)
    leaves = noise_patch(rng, rows, columns, 64, 3)
    solid = 1 - np.arange(rows)[:, None] / rows < line + 0.03 * leaves
    green = np.array(hsv(rng.uniform(70, 140), rng.uniform(0.15, 0.45), rng.uniform(0.25, 0.45)), np.float32)
    rgb = np.clip(green * (1 + 0.2 * leaves)[..., None], 0, 255).astype(np.uint8)
    texture = Texture(np.dstack([rgb, np.where(solid, 255, 0).astype(np.uint8)]))
    canvas.picture(
        (x - WIDTH / 2, HEIGHT, z + DISTANCE), (WIDTH, 0, 0), (0, -HEIGHT, 0), lambda: texture, VEGETATION
    )
