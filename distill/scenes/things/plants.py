"""Draws trees as pictures that face the camera: leafy, coniferous and bare ones, bushes.

A small stock of pictures is grown once per process from fixed seeds; each tree takes one of them, mirrored,
stretched and tinted, so that hardly two look alike.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from distill.scenes.canvas import Canvas
from distill.scenes.labels import VEGETATION
from distill.scenes.layout import Place
from distill.scenes.texture import Bytes, Floats, Texture, hsv, mipmapped, noise_patch

STOCK = 10
"""Number of pictures of each kind."""
SIZE = 320
TreeKind = Literal["leafy", "conifer", "bare", "bush"]


@mipmapped(0)
def tree_picture(kind: TreeKind, variant: int, level: int) -> Texture:
    """Draw one picture of the stock, halved ``level`` times."""
    del level
    rng = np.random.default_rng([variant, len(kind)])
    if kind == "bare":
        return _bare(rng)
    field, shade = _conifer(rng) if kind == "conifer" else _blobs(rng, bush=kind == "bush")
    hue = rng.uniform(60, 125)
    if kind == "leafy" and rng.random() < 0.35:
        hue = rng.uniform(18, 55)  # autumn
    elif kind == "conifer":
        hue = rng.uniform(85, 150)
    dull = 0.7 if kind == "conifer" else 1.0
    colour = np.array(hsv(hue, dull * rng.uniform(0.3, 0.6), dull * rng.uniform(0.36, 0.58)), np.float32)
    leaves = noise_patch(rng, SIZE, SIZE, 64, 4)
    rgb = colour * np.clip(shade * (1 + 0.3 * leaves), 0.1, 1.7)[..., None]
    ragged = 0.03 if kind == "conifer" else 0.12
    alpha = np.clip((field + ragged * leaves) * 12, 0, 1)
    picture = np.dstack([np.clip(rgb, 0, 255), alpha * 255]).astype(np.uint8)
    if kind == "leafy":
        _trunk(rng, picture)
    return Texture(picture, cover=_closed(picture[..., 3], 7))


def _grid() -> tuple[Floats, Floats]:
    """Return the coordinates across (−1…1) and up (0…1) of the picture."""
    v, u = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    return (u / SIZE - 0.5) * 2, 1 - v / SIZE


def _blobs(rng: np.random.Generator, *, bush: bool) -> tuple[Floats, Floats]:
    """Return a crown as a heap of lit spheres: membership (> 0 inside) and brightness."""
    x, y = _grid()
    low, high = (0.0, 0.95) if bush else (rng.uniform(0.25, 0.4), 0.96)
    narrow = rng.uniform(0.35, 0.9)
    field = np.full((SIZE, SIZE), -1, np.float32)
    shade = np.full((SIZE, SIZE), 0.5, np.float32)
    for _ in range(34):
        level = rng.beta(1.6, 1.8)
        reach = narrow * np.sqrt(max(0.05, 1 - (2 * level - 0.85) ** 2))
        cx, cy = rng.uniform(-reach, reach) * 0.75, low + level * (high - low)
        radius = rng.uniform(0.09, 0.2) * (1.2 if bush else 1)
        inside = 1 - ((x - cx) ** 2 + ((y - cy) * 2) ** 2) / (2 * radius) ** 2 * 2
        depth = np.sqrt(np.clip(inside, 0, 1)) * radius + rng.uniform(0, 0.15)
        lit = 0.62 + 0.5 * np.clip(((y - cy) * 2 - 0.25 * (x - cx)) / (2 * radius), -1, 1) + 0.15 * level
        nearer = (inside > 0) & (depth > field)
        shade[nearer] = lit[nearer]
        field = np.where(inside > 0, np.maximum(field, depth), np.maximum(field, inside * 0.3))
    return field, shade


def _conifer(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return tiers of drooping branches around a straight stem: membership (> 0 inside) and brightness."""
    x, y = _grid()
    tiers = rng.uniform(9, 14)
    taper = np.clip(1.0 - y, 0, 1) * rng.uniform(0.5, 0.8)
    droop = np.mod(y * tiers + 0.9 * np.abs(x) / (taper + 0.05), 1)
    ragged = noise_patch(rng, SIZE, SIZE, 16, 4)
    field = taper * (0.62 + 0.3 * droop + 0.14 * ragged) - np.abs(x)
    field[y < 0.04] = -1
    return field * 1.5, (0.45 + 0.55 * droop * (1 - 0.3 * x)).astype(np.float32)


def _trunk(rng: np.random.Generator, picture: Bytes) -> None:
    """Draw a stem with a few boughs where no leaves hide it."""
    stem = np.zeros((SIZE, SIZE), np.uint8)
    middle, width = SIZE // 2, int(rng.integers(9, 17))
    cv2.line(stem, (middle, SIZE), (middle, SIZE // 2), 255, width, cv2.LINE_AA)
    for _ in range(5):
        tip = (int(rng.integers(SIZE // 5, SIZE * 4 // 5)), int(rng.integers(SIZE // 4, SIZE // 2)))
        cv2.line(stem, (middle, int(SIZE * rng.uniform(0.5, 0.68))), tip, 255, width // 2, cv2.LINE_AA)
    bark = np.array(hsv(rng.uniform(18, 40), rng.uniform(0.15, 0.45), rng.uniform(0.2, 0.4)), np.float32)
    rounded = np.clip(1.2 - 0.03 * np.abs(np.arange(SIZE) - middle + 3), 0.4, 1.2)[None, :, None]
    bark_shows = (picture[..., 3] < 128) & (stem > 0)
    picture[..., :3] = np.where(
        bark_shows[..., None], (bark * rounded).clip(0, 255).astype(np.uint8), picture[..., :3]
    )
    picture[..., 3] = np.maximum(picture[..., 3], stem)


def _bare(rng: np.random.Generator) -> Texture:
    """Draw a leafless tree by recursive forking."""
    alpha: Bytes = np.zeros((SIZE * 2, SIZE * 2), np.uint8)
    _grow(rng, alpha, np.array([SIZE, SIZE * 2.0]), rng.normal(0, 0.05), SIZE * 0.46, SIZE * 0.055, 8)
    alpha = cv2.resize(alpha, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(np.uint8)
    bark = np.array(hsv(rng.uniform(15, 45), rng.uniform(0.05, 0.35), rng.uniform(0.18, 0.4)), np.float32)
    shade = np.clip(1 + 0.2 * noise_patch(rng, SIZE, SIZE, 32), 0.4, 1.6)
    rgb = np.clip(bark * shade[..., None], 0, 255).astype(np.uint8)
    cover = np.where(_closed(alpha, 9) > 60, 255, 0).astype(np.uint8)
    return Texture(np.dstack([rgb, alpha]), cover=cover)


def _grow(
    rng: np.random.Generator,
    alpha: Bytes,
    start: npt.NDArray[np.float64],
    angle: float,
    length: float,
    width: float,
    level: int,
) -> None:
    """Draw a branch into ``alpha`` and, up to ``level`` times, the two or three branches at its tip.

    :param start: foot of the branch in pixels (column, row); ``length`` and ``width`` are in pixels, too.
    :param angle: direction in radians, 0 upwards, positive to the right.
    """
    bits = 4
    tip = start + length * np.array([np.sin(angle), -np.cos(angle)])
    ends = [tuple(np.rint(p * (1 << bits)).astype(int).tolist()) for p in (start, tip)]
    cv2.line(alpha, ends[0], ends[1], 255, max(1, round(width)), cv2.LINE_AA, bits)
    if level == 0:
        return
    for side in (-1, 1) if rng.random() < 0.75 else (-1, 0, 1):
        turn = angle * 0.9 + side * rng.uniform(0.2, 0.6) + rng.normal(0, 0.08)
        _grow(rng, alpha, tip, turn, length * rng.uniform(0.68, 0.88), width * 0.68, level - 1)


def _closed(alpha: Bytes, size: int) -> Bytes:
    """Return the mask with its small gaps filled, as annotators draw crowns."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return cv2.morphologyEx(alpha, cv2.MORPH_CLOSE, kernel).astype(np.uint8)


def paint_tree(
    canvas: Canvas,
    place: Place,
    time: float,
    *,
    kind: TreeKind,
    variant: int,
    height: float,
    width: float,
    tint: tuple[float, float, float],
) -> None:
    """Draw a tree of that height and width; a negative width mirrors it."""
    del time
    face_camera(
        canvas,
        place,
        lambda level: tree_picture(kind, variant % STOCK, level),
        height,
        width,
        VEGETATION,
        SIZE,
        tint,
    )


def face_camera(
    canvas: Canvas,
    place: Place,
    picture: Callable[[int], Texture],
    height: float,
    width: float,
    label: int,
    size: int,
    tint: tuple[float, float, float] = (1, 1, 1),
) -> None:
    """Put a picture upright at a place, turned to the camera about the vertical.

    ``picture(level)`` is the texture, ``size >> level`` pixels high.
    """
    x, _, z = canvas.camera.position
    away = np.array([place.x - x, place.z - z])
    distance = float(np.hypot(*away))
    if distance < 0.5:
        return
    pixels = canvas.camera.focal * height / distance
    level = int(np.clip(np.floor(np.log2(size / max(pixels, 1)) + 0.3), 0, 5))
    across = np.array([away[1], 0, -away[0]]) / distance * width
    corner = np.array([place.x, place.y + height, place.z]) - across / 2
    canvas.picture(corner, across, (0, -height, 0), partial(picture, level), label, tint)
