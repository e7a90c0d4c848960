"""The plan of a street: carriageway, kerbs, sidewalks, lots, crossings, and what stands where.

A point of the street has an ``offset`` to the right of the centre line and a ``z`` along it; the centre line
bends by x = bend(z), so that (offset, y, z) lies at world (offset + bend(z), y, z).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from distill.scenes.canvas import Canvas

CAMERA_SPEED = 10.0
"""Metres per second of the camera's car on a drive, and of those it follows."""
LotKind = Literal["building", "house", "wall", "fence", "park", "crossing"]
Ground = Literal["paved", "grass", "dirt", "road"]


@dataclass(frozen=True)
class Place:
    """A spot in the world and a heading (radians, 0 along +z, positive to the right)."""

    x: float
    y: float
    z: float
    heading: float = 0.0

    def points(self, local: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return points [n,3] of the place's own axes (right, up, forward) in the world."""
        array = np.asarray(local, np.float64).reshape(-1, 3)
        sin, cos = np.sin(self.heading), np.cos(self.heading)
        turned = np.stack(
            [cos * array[:, 0] + sin * array[:, 2], array[:, 1], cos * array[:, 2] - sin * array[:, 0]],
            axis=1,
        )
        return turned + np.array([self.x, self.y, self.z])


Paint = Callable[[Canvas, Place, float], None]
"""Draws a thing at a place at a time (seconds)."""


@dataclass(frozen=True)
class Thing:
    """Something that stands or moves on the street."""

    paint: Paint
    offset: float
    z: float
    y: float = 0.0
    heading: float = 0.0
    """Heading relative to the street's direction, radians."""
    speed: float = 0.0
    """Metres per second along +z."""
    drift: float = 0.0
    """Metres per second along the offset."""
    start: float = 0.0
    """Seconds before which it does not drift yet."""
    seen: float = 190.0
    """Metres from which it is drawn: small things are left out when far."""
    reach: float = 0.0
    """How far the thing extends along z beyond its place."""
    footprint: tuple[float, float] | None = None
    """Half width and half length of the shade it casts on the ground under an overcast sky."""
    lamps: tuple[tuple[float, float, float], ...] = ()
    """Points in the thing's own axes that shine at night."""
    lights_street: bool = False
    """True if those are street lamps, False if headlamps."""

    def place(self, street: Street, time: float) -> Place:
        """Return where it is at a time in seconds."""
        z, offset = self.z + self.speed * time, self.offset + self.drift * max(0.0, time - self.start)
        return Place(offset + float(street.bend(z)), self.y, z, self.heading + street.direction(z))


@dataclass(frozen=True)
class Lot:
    """A stretch of one side of the street, from ``start`` to ``stop`` along z."""

    start: float
    stop: float
    kind: LotKind
    ground: Ground
    setback: float = 0.0
    """Metres from the back of the sidewalk to the building."""

    @property
    def length(self) -> float:
        """Length along the street in metres."""
        return self.stop - self.start


@dataclass(frozen=True)
class Side:
    """One side of the street, from the kerb outwards: verge (grass), sidewalk, lots."""

    sign: int
    """+1 right, −1 left."""
    verge: float
    sidewalk: float
    lots: tuple[Lot, ...]


@dataclass
class Street:
    """The plan; ``things`` is filled by :func:`distill.scenes.street.build`."""

    seed: int
    length: float
    lanes: int
    """Number of lanes in each direction."""
    lane_width: float
    parking: tuple[bool, bool]
    """Whether cars park at the left and at the right kerb."""
    tram: bool
    kerb: float
    """Height of the sidewalk above the road, metres."""
    bends: tuple[tuple[float, float, float], ...]
    """Sine waves (amplitude in metres, wavelength in metres, phase)."""
    sides: tuple[Side, Side]
    crossings: tuple[tuple[float, float], ...]
    """Start and end of each cross street along z, metres."""
    things: list[Thing] = field(default_factory=list)

    PARKING = 2.2

    def half_width(self, sign: int) -> float:
        """Return the distance in metres from the centre line to the kerb of one side (+1 right, −1 left)."""
        return self.lanes * self.lane_width + self.PARKING * self.parking[sign > 0]

    def frontage(self, side: Side) -> float:
        """Return the distance in metres from the centre line to the back of the sidewalk."""
        return self.half_width(side.sign) + side.verge + side.sidewalk

    def bend(self, z: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return x of the centre line in metres at ``z``."""
        array = np.asarray(z)
        total = np.zeros(array.shape, array.dtype if array.dtype == np.float32 else np.float64)
        for amplitude, wavelength, phase in self.bends:
            total += amplitude * np.sin(array * (2 * np.pi / wavelength) + phase)
        return total

    def direction(self, z: float) -> float:
        """Return the heading of the centre line in radians at ``z``."""
        slope = sum(a * 2 * np.pi / w * np.cos(2 * np.pi * z / w + p) for a, w, p in self.bends)
        return float(np.arctan(slope))

    def point(self, offset: float, y: float, z: float) -> npt.NDArray[np.float64]:
        """Return the world coordinates [3] of a point of the street."""
        return np.array([offset + float(self.bend(z)), y, z])

    def things_near(self, z: float, ahead: float, time: float) -> Iterator[tuple[Thing, Place]]:
        """Yield the things to draw from a camera at ``z``, far ones first."""
        near = []
        for thing in self.things:
            if z - thing.reach - 6 < thing.z + thing.speed * time < z + min(ahead, thing.seen):
                place = thing.place(self, time)
                near.append((max(place.z + thing.reach - z, abs(place.x)), thing, place))
        near.sort(key=lambda item: -item[0])
        for _, thing, place in near:
            yield thing, place
