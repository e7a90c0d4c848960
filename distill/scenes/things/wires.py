"""Wires above the street: what trams and trolleybuses take their current from, and what carries it.

Contact wires run along the lanes, span wires across the street from front to front, sagging a little.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np

from distill.scenes.canvas import Canvas
from distill.scenes.geometry import Doubles
from distill.scenes.layout import Place, Street, Thing

STEP = 12.0
"""Metres of a contact wire that are drawn as one straight piece, so that it follows the street's bends."""
PIECES = 6
"""Straight pieces of a sagging span wire."""


def add_wires(rng: np.random.Generator, street: Street) -> None:
    """Add wires above streets with trams and above some others."""
    if rng.random() > (0.95 if street.tram else 0.4):
        return
    height, width = float(rng.uniform(5.2, 6.2)), float(rng.uniform(0.012, 0.03))
    lanes = [offset * street.lane_width for offset in (-0.5, 0.5)]
    if rng.random() < 0.5:  # trolleybuses have two wires for each direction
        lanes += [offset + 0.6 for offset in lanes]
    if street.tram or rng.random() < 0.5:
        for z in np.arange(-STEP, street.length, STEP).tolist():
            for offset in lanes:
                paint = partial(paint_contact_wire, street=street, offset=offset, height=height, width=width)
                street.things.append(Thing(paint, 0.0, z, seen=120.0, reach=STEP))
    span, reach = float(rng.uniform(18, 36)), max(street.frontage(side) for side in street.sides)
    for z in np.arange(float(rng.uniform(0, span)), street.length, span).tolist():
        rise, slant = float(rng.uniform(0.6, 2.5)), float(rng.normal(0, 1.5))
        paint = partial(
            paint_span_wire, half=reach, height=height, rise=rise, slant=slant, width=float(width * 1.3)
        )
        street.things.append(Thing(paint, 0.0, z, seen=120.0))


def paint_contact_wire(
    canvas: Canvas, place: Place, time: float, *, street: Street, offset: float, height: float, width: float
) -> None:
    """Draw a piece of a wire along the street, ``offset`` metres to the right of its middle."""
    del time
    start, stop = street.point(offset, height, place.z), street.point(offset, height, place.z + STEP)
    canvas.wire(start, stop, width)


def paint_span_wire(
    canvas: Canvas,
    place: Place,
    time: float,
    *,
    half: float,
    height: float,
    rise: float,
    slant: float,
    width: float,
) -> None:
    """Draw a wire across the street that sags from its ends by ``rise`` metres.

    :param half: metres from the middle of the street to either end.
    :param slant: metres by which its right end is farther along the street than its left one.
    """
    del time
    points = place.points(_parabola(half, height, rise, slant))
    for start, stop in pairwise(points):
        canvas.wire(start, stop, width)


def _parabola(half: float, height: float, rise: float, slant: float) -> Doubles:
    """Return points [n,3] (right, up, forward) of a sagging wire: its lowest is at ``height``."""
    share = np.linspace(-1, 1, PIECES + 1)
    return np.stack([share * half, height + rise * share**2, share * slant / 2], 1)
