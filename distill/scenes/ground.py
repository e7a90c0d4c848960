"""Draws the ground by ray casting: every pixel below the horizon meets road or raised sidewalk exactly.

A ray from height h that falls by s per metre of depth meets the road (y = 0) at depth h/s and the level of
the sidewalk (y = k) at (h − k)/s. It shows the sidewalk where the latter point is on it, the road where the
former is on the road, and else the face of the kerb between the two.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from distill.scenes.canvas import Canvas
from distill.scenes.labels import ROAD, SIDEWALK, TERRAIN
from distill.scenes.layout import Street
from distill.scenes.markings import paint_road
from distill.scenes.texture import Floats, hsv, linear, noise, sample

FARTHEST = 1500.0
"""Metres; the ground ends there, at the horizon for any eye."""
KERB_STONE = linear((168, 166, 160))
_KINDS = {"paved": 0, "grass": 1, "dirt": 2, "road": 0}
Mask = npt.NDArray[np.bool_]


def draw_ground(canvas: Canvas, street: Street) -> None:
    """Fill label, depth, normal and albedo of all pixels whose ray meets the ground."""
    camera = canvas.camera
    fall = -camera.rays[..., 1]
    visible = fall > camera.position[1] / FARTHEST
    if not visible.any():
        return
    top = int(np.argmax(visible.any(1)))
    rows = slice(top, camera.height)
    visible, rays = visible[rows], camera.rays[rows]
    fall = np.where(visible, fall[rows], np.float32(1))
    low = camera.position[1] / fall
    high = (camera.position[1] - street.kerb) / fall
    road_offset, road_z = _street_coordinates(canvas, street, rays, low)
    walk_offset, walk_z = _street_coordinates(canvas, street, rays, high)
    on_walk, on_road = _raised(street, walk_offset, walk_z), ~_raised(street, road_offset, road_z)
    face = ~on_walk & ~on_road
    depth = np.where(on_walk, high, low)
    depth[face] = (high + _kerb_share(street, road_offset, road_z, walk_offset, walk_z) * (low - high))[face]
    offset = np.where(on_walk, walk_offset, road_offset)
    z = np.where(on_walk, walk_z, road_z)

    metres_per_pixel = depth / np.float32(camera.focal)
    labels = np.where(on_walk | face, np.uint8(SIDEWALK), np.uint8(ROAD))
    albedo = np.empty((*labels.shape, 3), np.float32)
    road, walk = visible & ~on_walk & ~face, visible & on_walk
    albedo[road] = paint_road(street, offset[road], z[road], metres_per_pixel[road], camera.position[1])
    albedo[walk], labels[walk] = _paint_sides(street, offset[walk], z[walk], metres_per_pixel[walk])
    albedo[face] = KERB_STONE * np.float32(0.75)

    np.copyto(canvas.layers[rows, :, :3], albedo, where=visible[..., None])
    np.copyto(canvas.sky_share[rows], np.float32(0), where=visible)
    np.copyto(canvas.labels[rows], labels, where=visible)
    np.copyto(canvas.inverse_depth[rows], 1 / depth, where=visible)


def _street_coordinates(canvas: Canvas, street: Street, rays: Floats, depth: Floats) -> tuple[Floats, Floats]:
    x, _, z = canvas.camera.position
    along = np.float32(z) + depth * rays[..., 2]
    return np.float32(x) + depth * rays[..., 0] - street.bend(along).astype(np.float32), along


def _in_crossing(street: Street, z: Floats) -> Mask:
    inside = np.zeros(z.shape, bool)
    for start, stop in street.crossings:
        inside |= (z > start) & (z < stop)
    return inside


def _raised(street: Street, offset: Floats, z: Floats) -> Mask:
    beyond = (offset > street.half_width(1)) | (offset < -street.half_width(-1))
    return beyond & ~_in_crossing(street, z)


def _kerb_share(
    street: Street, road_offset: Floats, road_z: Floats, walk_offset: Floats, walk_z: Floats
) -> Floats:
    """Return where a ray through a kerb's face meets it, as a share of the way from upper to lower level."""
    share = np.full(road_offset.shape, 0.5, np.float32)
    for limit in (street.half_width(1), -street.half_width(-1)):
        across = (road_offset - limit) * (walk_offset - limit) < 0
        np.divide(limit - walk_offset, road_offset - walk_offset, out=share, where=across)
    for crossing in street.crossings:
        for limit in crossing:
            across = (road_z - limit) * (walk_z - limit) < 0
            np.divide(limit - walk_z, road_z - walk_z, out=share, where=across)
    return share


def _paint_sides(
    street: Street, offset: Floats, z: Floats, metres_per_pixel: Floats
) -> tuple[Floats, npt.NDArray[np.uint8]]:
    """Return albedo [n,3] and labels [n] of points beyond the kerbs: verges, sidewalks, lots."""
    right = offset > 0
    across = np.abs(offset) - np.where(
        right, np.float32(street.half_width(1)), np.float32(street.half_width(-1))
    )
    kind = np.zeros(offset.shape, np.intp)
    table: list[Floats] = []
    joints = np.zeros(offset.shape, np.float32)
    for side in street.sides:
        mine = np.flatnonzero(right == (side.sign > 0))
        out, along = across[mine], z[mine]
        edges = np.array([lot.stop for lot in side.lots[:-1]], np.float32)
        lots = np.array([_KINDS[lot.ground] for lot in side.lots])[np.searchsorted(edges, along)]
        own = np.where(out < side.verge, 1, np.where(out < side.verge + side.sidewalk, 0, lots))
        kind[mine] = own + len(table)
        rng = np.random.default_rng([street.seed, side.sign + 1])
        grey = rng.uniform(95, 190)
        table += [
            linear((grey * rng.uniform(0.97, 1.08), grey, grey * rng.uniform(0.85, 1.02))),
            linear(hsv(rng.uniform(55, 105), rng.uniform(0.25, 0.6), rng.uniform(0.25, 0.5))),
            linear(hsv(rng.uniform(22, 45), rng.uniform(0.2, 0.45), rng.uniform(0.3, 0.55))),
        ]
        pitch = float(rng.choice([0.3, 0.5, 0.6, 1.0]))
        joints[mine] = np.where(own == 0, _joints(out, along, pitch, metres_per_pixel[mine]), 0)
    material = kind % 3
    coarse = sample(noise(1, 4), across / 9, z / 9)
    fine = sample(noise(2, 16, 5, 0.8), across / 2.5, z / 2.5) * _fade(0.04, metres_per_pixel)
    shade = 1 + np.array([0.05, 0.16, 0.14], np.float32)[material] * coarse
    shade += np.array([0.08, 0.3, 0.25], np.float32)[material] * fine - 0.3 * joints
    colours = np.stack(table)[kind]
    colours[across < 0.18] = KERB_STONE
    labels = np.where(material > 0, np.uint8(TERRAIN), np.uint8(SIDEWALK))
    return colours * np.maximum(shade, 0.2)[:, None], labels


def _joints(across: Floats, along: Floats, pitch: float, metres_per_pixel: Floats) -> Floats:
    """Return the share of each pixel, 0…1, that is a joint between paving slabs."""
    width = np.float32(0.02)
    total = np.zeros(across.shape, np.float32)
    for coordinate in (across, along):
        distance = np.abs(coordinate / pitch - np.rint(coordinate / pitch)) * pitch
        total = np.maximum(total, np.clip((width - distance) / metres_per_pixel + 0.5, 0, 1))
    return total * _fade(width * 2, metres_per_pixel)


def _fade(detail: float, metres_per_pixel: Floats) -> Floats:
    """Return 1 where a detail of that size in metres is resolved, falling to 0 where it is not."""
    return np.clip(np.float32(detail) / metres_per_pixel, 0, 1)
