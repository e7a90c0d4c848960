"""Bodies made of flat faces: what vehicles are built from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypedDict

import numpy as np
import numpy.typing as npt

from distill.scenes.body import Body
from distill.scenes.canvas import Canvas
from distill.scenes.layout import Place
from distill.scenes.texture import Colour, scaled

if TYPE_CHECKING:
    from typing_extensions import Unpack

BLACK: Colour = (20, 20, 22)
GLASS: Colour = (44, 52, 60)
PLATE: Colour = (225, 224, 214)
Spot = tuple[float, float, float]
"""A point in the body's own axes: right, up, forward, in metres."""
Box = tuple[float, float, float, float]
"""Two limits across and two upwards of a rectangle, in metres."""


@dataclass(frozen=True)
class Face:
    """A flat polygon of one colour."""

    points: npt.NDArray[np.float64]
    """Corners [n,3] in the body's own axes, metres."""
    colour: Colour
    emission: float = 0.0
    """Light it gives, as a multiple of the radiance of a white surface by day."""
    gradient: tuple[float, float] = (1.0, 1.0)
    """Factors on the colour at its upper and lower end in the image."""
    finest: float = 0.0
    """Pixels per metre below which it is left out."""


class FaceLook(TypedDict, total=False):
    """The optional fields of :class:`Face`, for functions that pass them on."""

    emission: float
    gradient: tuple[float, float]
    finest: float


@dataclass(frozen=True)
class _Parts:
    """All faces of a mesh in arrays, as :class:`~distill.scenes.body.Body` has them but in local axes."""

    points: npt.NDArray[np.float64]
    starts: list[int]
    normals: npt.NDArray[np.float64]
    colours: npt.NDArray[np.uint8]
    gradients: npt.NDArray[np.float32]
    finest: npt.NDArray[np.float64]


@dataclass
class Mesh:
    """Faces in the order they are drawn, decals after what they lie on."""

    centre: Spot
    faces: list[Face] = field(default_factory=list)

    @cached_property
    def parts(self) -> _Parts:
        """The faces as arrays, once they are all there."""
        points = np.concatenate([face.points for face in self.faces])
        starts = [0, *np.cumsum([len(face.points) for face in self.faces]).tolist()]
        first = np.array(starts[:-1])
        normals = np.cross(points[first + 1] - points[first], points[first + 2] - points[first])
        middles = np.add.reduceat(points, first) / np.diff(starts)[:, None]
        inward = np.einsum("fc,fc->f", normals, middles - self.centre) < 0
        normals[inward] *= -1
        colours = np.array(
            [(*face.colour, min(255, round(16 * face.emission))) for face in self.faces], np.uint8
        )
        gradients = np.array([face.gradient for face in self.faces], np.float32)
        return _Parts(
            points, starts, normals, colours, gradients, np.array([face.finest for face in self.faces])
        )

    def add(self, points: Sequence[Spot], colour: Colour, **look: Unpack[FaceLook]) -> None:
        """Append one face; ``look`` holds fields of :class:`Face`."""
        self.faces.append(Face(np.asarray(points, np.float64), colour, **look))

    def side(self, x: float, box: Box, colour: Colour, **look: Unpack[FaceLook]) -> None:
        """Append a rectangle on each side of the body, at ±x; ``box`` is (rear z, front z, bottom, top)."""
        rear, front, low, high = box
        for sign in (-1, 1):
            points = [
                (sign * x, low, rear),
                (sign * x, high, rear),
                (sign * x, high, front),
                (sign * x, low, front),
            ]
            self.add(points, colour, **look)

    def end(self, z: float, box: Box, colour: Colour, **look: Unpack[FaceLook]) -> None:
        """Append a rectangle across the body at z; ``box`` is (left, right, bottom, top)."""
        left, right, low, high = box
        self.add([(left, low, z), (left, high, z), (right, high, z), (right, low, z)], colour, **look)

    def box(self, half: float, span: Box, colour: Colour) -> None:
        """Append the sides, ends and top of a block of half width ``half``.

        :param span: rear z, front z, bottom and top in metres.
        """
        rear, front, low, high = span
        self.add(
            [(-half, high, rear), (-half, high, front), (half, high, front), (half, high, rear)],
            scaled(colour, 1.02),
        )
        self.end(rear, (-half, half, low, high), colour, gradient=(1.0, 0.86))
        self.end(front, (-half, half, low, high), colour, gradient=(1.0, 0.86))
        self.side(half, span, colour, gradient=(1.02, 0.84))

    def wheels(self, x: float, axles: Sequence[float], radius: float, arch: Colour | None = BLACK) -> None:
        """Append wheels as discs on both sides.

        :param x: half the distance between left and right wheels, metres.
        :param axles: z of the axles, metres.
        :param arch: colour of the arches above the wheels; None: no arches.
        """
        angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        for z in axles:
            for sign in (-1, 1):
                if arch is not None:
                    self._disc(sign * (x + 0.004), radius, z, radius * 1.14, angle, arch, 5)
                self._disc(sign * (x + 0.01), radius, z, radius, angle, (26, 26, 28), 3)
                self._disc(sign * (x + 0.016), radius, z, radius * 0.62, angle, (138, 140, 144), 10)
                self._disc(sign * (x + 0.02), radius, z, radius * 0.3, angle, (70, 72, 76), 20)

    def tyres(self, x: float, axles: Sequence[float], radius: float) -> None:
        """Append the treads of the outermost wheels, before the body that hides their upper halves."""
        for sign in (-1, 1):
            left, right = sorted((sign * (x - 0.22), sign * x))
            for z in (min(axles) - radius * 0.8, max(axles) + radius * 0.8):
                self.end(z, (left, right, 0.0, radius), BLACK, finest=6)

    def _disc(
        self,
        x: float,
        height: float,
        z: float,
        radius: float,
        angle: npt.NDArray[np.float64],
        colour: Colour,
        finest: float,
    ) -> None:
        points = [(x, max(0.0, height + radius * np.sin(a)), z + radius * np.cos(a)) for a in angle]
        self.add(points, colour, finest=finest)


def draw_mesh(canvas: Canvas, place: Place, mesh: Mesh, label: int) -> None:
    """Draw the faces turned to the camera."""
    camera, parts = canvas.camera, mesh.parts
    sin, cos = np.sin(place.heading), np.cos(place.heading)
    turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])  # local to world
    shift = np.array([place.x, place.y, place.z]) - camera.position
    detail = camera.focal / max(float(np.sqrt(shift @ shift)), 1.0)
    eye = -shift @ turn  # the eye in local axes
    facing = np.einsum("fc,fc->f", parts.normals, eye - parts.points[parts.starts[:-1]]) > 0
    shown = facing & (parts.finest <= detail)
    to_camera = turn.T @ camera.rotation.T
    points = parts.points @ to_camera + shift @ camera.rotation.T
    body = Body(points, parts.starts, parts.normals @ to_camera, parts.colours, parts.gradients)
    canvas.solid(body, np.flatnonzero(shown).tolist(), label)
