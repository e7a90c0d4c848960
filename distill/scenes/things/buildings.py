"""Houses, and how upright surfaces are laid along a street."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from distill.scenes.canvas import Canvas
from distill.scenes.labels import BUILDING
from distill.scenes.layout import Street
from distill.scenes.texture import Colour, Texture
from distill.scenes.things.facade import STOCK as FRONTS
from distill.scenes.things.facade import front, measures

CHUNK = 7.0
"""Metres of a near surface drawn at once, each at its own texture resolution; far ones take longer pieces."""


def resolution(canvas: Canvas, distance: float) -> int:
    """Return the texture pixels per metre (a power of two, 1…64) that a surface at a distance deserves."""
    wanted = canvas.camera.focal / max(distance, 1.0)
    return 1 << int(np.clip(np.ceil(np.log2(wanted) - 0.75), 0, 6))


def draw_along(
    canvas: Canvas,
    street: Street,
    span: tuple[float, float, float],
    bottom: float,
    height: float,
    texture: Callable[[int], Texture],
    label: int,
    tint: tuple[float, float, float] = (1, 1, 1),
) -> None:
    """Put a texture on an upright surface that follows the street at one offset.

    ``span`` is (offset, start, stop); ``texture(ppm)`` is that of the whole surface.
    """
    offset, start, stop = span
    eye = canvas.camera.position
    pieces = max(1, round((stop - start) / (CHUNK if start < eye[2] + 3 * CHUNK else 4 * CHUNK)))
    edges = np.linspace(start, stop, pieces + 1).tolist()
    for a, b in pairwise(edges):
        if b < eye[2] + 0.3:
            continue
        near = street.point(offset, bottom + height, a)
        ppm = resolution(canvas, float(np.hypot(max(a - eye[2], 0.0), near[0] - eye[0])))
        part = ((a - start) / (stop - start), (b - start) / (stop - start))
        left, right = near, street.point(offset, bottom + height, b)
        if offset > 0:  # seen from the street, the far end is on the left
            left, right, part = right, left, (1 - part[1], 1 - part[0])
        canvas.picture(
            left, right - left, (0, -height, 0), partial(_part, texture, ppm, *part), label, tint, 0.5
        )


def _part(texture: Callable[[int], Texture], ppm: int, first: float, last: float) -> Texture:
    return texture(ppm).columns(first, last)


@dataclass(frozen=True)
class House:
    """A building whose front stands at ``offset`` from the centre line, from ``start`` to ``stop``."""

    front: int
    """Number of the front in the stock."""
    offset: float
    start: float
    stop: float
    depth: float
    roof_height: float
    roof_colour: Colour
    base: float
    """Height of the ground it stands on."""
    tint: tuple[float, float, float]

    def paint(self, canvas: Canvas, street: Street) -> None:
        """Draw the roof, the front and the end wall towards the camera."""
        eaves = measures(self.front).height
        away = np.sign(self.offset) * self.depth
        corner = street.point(self.offset, self.base + eaves, self.start)
        back = street.point(self.offset + away, self.base + eaves, self.start)
        far = street.point(self.offset, self.base + eaves, self.stop)
        if self.roof_height > 0:
            self._roof(canvas, corner, back, far)
        eye, look = canvas.camera.position, partial(front, self.front)
        draw_along(
            canvas, street, (self.offset, self.start, self.stop), self.base, eaves, look, BUILDING, self.tint
        )
        if self.start > eye[2] + 0.3:  # the end wall is a piece of the front
            ppm = resolution(canvas, float(np.hypot(self.start - eye[2], corner[0] - eye[0])))
            left, right = (corner, back) if away > 0 else (back, corner)
            piece = partial(_part, look, ppm, 0.0, min(1.0, self.depth / (self.stop - self.start)))
            canvas.picture(left, right - left, (0, -eaves, 0), piece, BUILDING, self.tint)

    def _roof(
        self,
        canvas: Canvas,
        corner: npt.NDArray[np.float64],
        back: npt.NDArray[np.float64],
        far: npt.NDArray[np.float64],
    ) -> None:
        """Draw a gable roof with its ridge along the street, eaves that stick out a little, and chimneys."""
        ridge = (corner + back) / 2 + (0, self.roof_height, 0)
        far_ridge = ridge + (far - corner)
        out = (corner - back) / np.linalg.norm(corner - back) * 0.5
        red, green, blue = self.roof_colour
        canvas.polygon(
            [corner, ridge, back], ((red + 150) // 2, (green + 145) // 2, (blue + 135) // 2), BUILDING
        )
        low, far_low = corner + out - (0, 0.15, 0), far + out - (0, 0.15, 0)
        canvas.polygon([low, far_low, far_ridge, ridge], self.roof_colour, BUILDING, gradient=(0.9, 1.1))
        rng = np.random.default_rng([self.front, round(abs(self.start) * 100)])
        for share in rng.uniform(0.15, 0.9, int(rng.integers(0, 3))):
            foot = ridge + (far_ridge - ridge) * share - (0, 0.6, 0)
            stack = np.array([[-0.4, 0, 0], [-0.4, 1.6, 0], [0.4, 1.6, 0], [0.4, 0, 0]])
            canvas.polygon(foot + stack, (120, 84, 72), BUILDING)


def make_house(
    rng: np.random.Generator, offset: float, start: float, stop: float, base: float, *, small: bool
) -> House:
    """Make a random town house of several storeys, or a small one."""
    shade = rng.uniform(0.7, 1.2)
    red, green, blue = ((132, 66, 50), (92, 72, 62), (78, 80, 86))[rng.integers(3)]
    tint = (rng.uniform(0.7, 1.2) * rng.uniform(0.85, 1.15, 3)).tolist()
    return House(
        front=int(rng.integers(FRONTS // 3) if small else rng.integers(FRONTS // 3, FRONTS)),
        offset=offset,
        start=start,
        stop=stop,
        depth=float(rng.uniform(8, 13)),
        roof_height=float(rng.uniform(2.2, 4.5)) if small or rng.random() < 0.4 else 0.0,
        roof_colour=(round(red * shade), round(green * shade), round(blue * shade)),
        base=base,
        tint=(tint[0], tint[1], tint[2]),
    )
