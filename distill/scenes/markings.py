"""Draws asphalt and its markings: lane lines, zebra crossings, stop lines, parking bays, tram rails."""

from __future__ import annotations

import numpy as np

from distill.scenes.layout import Street
from distill.scenes.texture import Floats, linear, noise, sample

DASH = 6.0
"""Metres from the start of one dash of a lane line to the next."""


def paint_road(street: Street, offset: Floats, z: Floats, metres_per_pixel: Floats, eye: float) -> Floats:
    """Return the albedo [n,3] of road points at street coordinates [n]; details fade in larger pixels."""
    rng = np.random.default_rng([street.seed, 7])
    grey = rng.uniform(78, 140)
    base = linear((grey * rng.uniform(0.97, 1.05), grey, grey * rng.uniform(0.95, 1.06)))
    along_pixel = metres_per_pixel * np.maximum(metres_per_pixel * 300 / eye, 1)  # foreshortened footprint
    shade = 1 + 0.07 * sample(noise(3, 4), offset / 17, z / 43)
    shade += 0.05 * sample(noise(4, 32, 4, 0.9), offset / 3, z / 3) * np.clip(0.05 / metres_per_pixel, 0, 1)
    shade += (
        0.11 * sample(noise(7, 128, 3, 0.9), offset / 1.7, z / 1.7) * np.clip(0.012 / metres_per_pixel, 0, 1)
    )
    lane = np.abs(np.mod(offset / street.lane_width, 1) - 0.5) * street.lane_width
    shade -= 0.06 * np.exp(-(((lane - 0.75) / 0.25) ** 2))  # worn wheel paths
    shade -= _patches(rng, offset, z)
    cracks = np.abs(sample(noise(5, 4, 5, 0.55), offset / 11, z / 11)) < 0.012
    shade -= 0.25 * cracks * np.clip(0.03 / metres_per_pixel, 0, 1)
    albedo = base * np.maximum(shade, 0.25)[..., None]

    worn = np.clip(0.85 + 0.22 * sample(noise(6, 16), offset / 2, z / 2), 0.25, 1)
    paint, kerb_paint = _lines(street, rng, offset, z, metres_per_pixel, along_pixel)
    yellow = rng.random() < 0.35
    for coverage, colour in (
        (paint, (232, 190, 70) if yellow else (225, 225, 220)),
        (kerb_paint, (222, 222, 218)),
    ):
        albedo += (coverage * worn)[..., None] * (linear(colour) - albedo)
    if street.tram:
        _rails(street, offset, metres_per_pixel, albedo)
    return albedo


def _band(distance: Floats, half: float, pixel: Floats) -> Floats:
    """Return the share of each pixel, 0…1, covered by a band of half width ``half`` metres."""
    return np.clip((half - np.abs(distance)) / pixel + 0.5, 0, 1) * np.clip(2 * half / pixel, 0, 1)


def _lines(
    street: Street,
    rng: np.random.Generator,
    offset: Floats,
    z: Floats,
    across_pixel: Floats,
    along_pixel: Floats,
) -> tuple[Floats, Floats]:
    """Return the coverage, 0…1, of the centre markings with the crossings, and of the lane and edge lines."""
    clear = np.ones(z.shape, np.float32)
    zebra = np.zeros(z.shape, np.float32)
    inside = (offset < street.half_width(1) - 0.3) & (offset > -street.half_width(-1) + 0.3)
    stripe = rng.uniform(0.45, 0.6)
    bars = _band(np.mod(offset, 2 * stripe) - stripe, stripe / 2, across_pixel)
    for start, stop in street.crossings:
        clear *= (z < start - 6) | (z > stop + 6)
        for middle in (start - 2.6, stop + 2.6):
            zebra = np.maximum(zebra, bars * inside * _band(z - middle, 1.6, along_pixel))
        stop_line = _band(z - (start - 5.3), 0.25, along_pixel) * (offset > 0)
        stop_line += _band(z - (stop + 5.3), 0.25, along_pixel) * (offset < 0)
        zebra = np.maximum(zebra, stop_line * inside)
    dash = _band(np.mod(z, DASH) - DASH / 2, DASH / 4, along_pixel)
    style = rng.random()
    if style < 0.3:
        centre = np.maximum(
            _band(offset - 0.14, 0.06, across_pixel), _band(offset + 0.14, 0.06, across_pixel)
        )
    else:
        centre = _band(offset, 0.07, across_pixel) * (1 if style < 0.45 else dash)
    lanes = np.zeros(z.shape, np.float32)
    for sign in (-1, 1):
        for lane in range(1, street.lanes):
            lanes = np.maximum(
                lanes, _band(offset - sign * lane * street.lane_width, 0.06, across_pixel) * dash
            )
        edge = sign * street.lanes * street.lane_width
        if street.parking[sign > 0]:
            lanes = np.maximum(lanes, _band(offset - edge, 0.05, across_pixel))
            bay = _band(np.mod(z, 5.5) - 2.75, 0.05, along_pixel)
            lanes = np.maximum(lanes, bay * (offset * sign > edge * sign) * inside)
        elif style > 0.5:
            lanes = np.maximum(lanes, _band(offset - edge + sign * 0.3, 0.06, across_pixel))
    return np.maximum(centre * clear, zebra), lanes * clear


def _patches(rng: np.random.Generator, offset: Floats, z: Floats) -> Floats:
    """Return how much darker mended rectangles and manhole covers make the road; they repeat along it."""
    dark = np.zeros(z.shape, np.float32)
    for _ in range(5):
        period, where, middle = rng.uniform(25, 70), rng.uniform(0, 70), rng.uniform(-5, 5)
        half_length, half_width = rng.uniform(0.8, 5), rng.uniform(0.3, 1.4)
        distance = np.mod(z - where, period) - period / 2
        dark += ((np.abs(distance) < half_length) & (np.abs(offset - middle) < half_width)) * np.float32(
            rng.uniform(-0.12, 0.2)
        )
    for _ in range(2):
        period, where, middle = rng.uniform(18, 40), rng.uniform(0, 40), rng.uniform(-4, 4)
        distance = np.mod(z - where, period) - period / 2
        dark += 0.35 * (distance**2 + (offset - middle) ** 2 < 0.32**2)
    return dark


def _rails(street: Street, offset: Floats, pixel: Floats, albedo: Floats) -> None:
    """Draw two tracks of standard gauge, one per direction."""
    for track in (-street.lane_width / 2, street.lane_width / 2):
        for rail in (-0.7175, 0.7175):
            groove = _band(offset - track - rail, 0.07, pixel)[..., None]
            albedo += groove * (linear((72, 70, 68)) - albedo)
            head = _band(offset - track - rail, 0.025, pixel)[..., None]
            albedo += head * (linear((150, 150, 152)) - albedo)
