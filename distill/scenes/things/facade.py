"""Pictures of house fronts: storeys of window bays over a ground floor, on varied walls."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from distill.scenes.texture import Bytes, Colour, Texture, hsv, scaled
from distill.scenes.things.surfaces import Material, surface, wall_colour

VARIANTS = 6
"""Different bays of one storey; a front is put together from these."""
STOCK = 96
"""Different fronts; the houses of a street take theirs from here, tinted and a little stretched."""


@dataclass(frozen=True)
class Front:
    """Measures of a front of the stock, in metres."""

    width: float
    storeys: int
    ground_height: float
    storey_height: float

    @property
    def height(self) -> float:
        """Height from the ground to the eaves in metres."""
        return self.ground_height + self.storeys * self.storey_height


@lru_cache(maxsize=STOCK)
def measures(seed: int) -> Front:
    """Return the measures of one front; the first third of the stock are small houses."""
    rng = np.random.default_rng([seed, 2])
    small = seed < STOCK // 3
    return Front(
        width=float(rng.uniform(8, 14) if small else rng.uniform(10, 24)),
        storeys=int(rng.integers(1, 3))
        if small
        else int(rng.choice([2, 3, 4, 5, 6], p=[0.2, 0.3, 0.27, 0.15, 0.08])),
        ground_height=float(rng.uniform(3.0, 3.4) if small else rng.uniform(3.3, 4.4)),
        storey_height=float(rng.uniform(2.7, 3.4)),
    )


def front(seed: int, ppm: int) -> Texture:
    """Return the texture of a front, with lit windows; ``ppm`` pixels per metre: a power of two up to 64."""
    return _fine(seed, ppm) if ppm > 16 else _coarse(seed, ppm)


@lru_cache(maxsize=24)
def _fine(seed: int, ppm: int) -> Texture:
    return _draw(seed, ppm)


@lru_cache(maxsize=6 * STOCK)
def _coarse(seed: int, ppm: int) -> Texture:
    if ppm == 16:
        return _draw(seed, ppm)
    finer = _coarse(seed, ppm * 2)
    rows, columns = finer.pixels.shape[:2]
    return finer.resized(rows // 2, columns // 2)


def _draw(seed: int, ppm: int) -> Texture:
    size = measures(seed)
    rng = np.random.default_rng(seed)
    style = _Style(rng)
    bays = max(1, round(size.width / style.bay))
    bay = max(3, round(size.width / bays * ppm))
    upper = _storey(rng, style, size.storeys, bays, bay, max(3, round(size.storey_height * ppm)), ppm)
    lower = _ground_floor(rng, style, bays, bay, max(3, round(size.ground_height * ppm)), ppm)
    picture = np.concatenate([upper, lower])
    height, columns = picture.shape[:2]
    wall = surface(rng, style.material, style.colour, height, columns, ppm)
    mark = picture[..., 3:4] > 0
    rgb = np.where(mark, picture[..., :3], wall)
    if style.base is not None:
        plinth = height - round(0.7 * ppm)
        rgb[plinth:] = np.where(mark[plinth:], rgb[plinth:], np.array(style.base, np.uint8))
    stain = np.linspace(0.93, 1.02, height, dtype=np.float32)[::-1, None, None]
    rgb = np.clip(rgb * stain, 0, 255).astype(np.uint8)
    cornice = max(1, round(0.35 * ppm))
    rgb[:cornice] = scaled(style.trim, 0.9)
    opaque = np.full((height, columns, 1), 255, np.uint8)
    return Texture(np.concatenate([rgb, opaque], axis=2), np.ascontiguousarray(picture[..., 4]), opaque=True)


class _Style:
    """Everything the bays of one house have in common."""

    def __init__(self, rng: np.random.Generator) -> None:
        materials: list[Material] = ["plaster", "brick", "concrete", "stone"]
        self.material: Material = materials[rng.choice(4, p=[0.5, 0.18, 0.17, 0.15])]
        self.colour = wall_colour(rng, self.material)
        self.glass_front = rng.random() < 0.12
        self.bay = rng.uniform(1.4, 2.4) if self.glass_front else rng.uniform(2.2, 4.2)
        self.window_width = 0.92 if self.glass_front else rng.uniform(0.3, 0.66)
        self.window_height = 0.86 if self.glass_front else rng.uniform(0.42, 0.66)
        self.trim: Colour = scaled(self.colour, rng.choice([0.7, 0.8, 1.25, 1.4]))
        self.frame: Colour = (
            (235, 235, 230) if rng.random() < 0.6 else hsv(rng.uniform(0, 360), 0.3, rng.uniform(0.1, 0.5))
        )
        self.shutters: Colour | None = (
            hsv(rng.choice([120, 10, 210, 30]), rng.uniform(0.3, 0.6), rng.uniform(0.25, 0.55))
            if rng.random() < 0.25 and self.window_width < 0.45
            else None
        )
        self.balconies = rng.random() < 0.22
        self.bands = rng.random() < 0.4
        self.surround = rng.random() < 0.5
        self.mullions = int(rng.integers(0, 3))
        self.lit = rng.uniform(0.1, 0.45)
        self.shops = rng.random() < 0.4
        self.base: Colour | None = scaled(self.colour, rng.uniform(0.5, 0.8)) if rng.random() < 0.5 else None


def _box(image: Bytes, left: float, top: float, right: float, bottom: float, value: tuple[int, ...]) -> None:
    """Fill a rectangle given in fractions of the picture; at least one pixel."""
    height, width = image.shape[:2]
    x0, y0 = round(left * width), round(top * height)
    image[
        max(0, y0) : max(y0 + 1, round(bottom * height)), max(0, x0) : max(x0 + 1, round(right * width))
    ] = value


def _window(
    rng: np.random.Generator, image: Bytes, style: _Style, box: tuple[float, float, float, float]
) -> None:
    """Draw one window in a bay [h,w,5] (RGB, drawn, glow)."""
    left, top, right, bottom = box
    height, width = image.shape[:2]
    if style.surround:
        edge_x, edge_y = 0.12 / 3, 0.12 / 3
        _box(image, left - edge_x, top - edge_y, right + edge_x, bottom + edge_y, (*style.trim, 255, 0))
    if style.shutters is not None:
        third = (right - left) * 0.5
        for start in (left - third, right):
            _box(image, start, top, start + third, bottom, (*style.shutters, 255, 0))
    _box(image, left, top, right, bottom, (*style.frame, 255, 0))
    margin_x, margin_y = min(0.03, 1 / width), min(0.03, 1 / height)
    x0, x1 = (
        round((left + margin_x) * width),
        max(round((right - margin_x) * width), round((left + margin_x) * width) + 1),
    )
    y0, y1 = (
        round((top + margin_y) * height),
        max(round((bottom - margin_y) * height), round((top + margin_y) * height) + 1),
    )
    pane = image[y0:y1, x0:x1]
    lit = rng.random() < style.lit
    if lit:
        warm = hsv(rng.uniform(30, 50), rng.uniform(0.15, 0.55), 0.62)
        pane[:] = (*warm, 255, int(rng.uniform(30, 130)))
        if rng.random() < 0.6:  # curtains
            fold = max(1, (x1 - x0) // 4)
            pane[:, :fold, 4] //= 2
            pane[:, -fold:, 4] //= 2
    else:
        glass = np.array(
            hsv(rng.uniform(190, 230), rng.uniform(0.05, 0.35), rng.uniform(0.12, 0.4)), np.float32
        )
        mirror = np.linspace(rng.uniform(1.2, 2.4), 0.8, pane.shape[0])[:, None, None]
        pane[..., :3] = np.clip(glass * mirror, 0, 255)
        pane[..., 3:] = (255, 0)
        if rng.random() < 0.35:  # drawn blind
            pane[: int(pane.shape[0] * rng.uniform(0.2, 0.9)), :, :3] = rng.integers(140, 225)
    for index in range(style.mullions):
        column = x0 + (index + 1) * (x1 - x0) // (style.mullions + 1)
        if x1 - x0 > 4:
            image[y0:y1, column : column + max(1, width // 60)] = (*style.frame, 255, 0)
    if not style.glass_front:
        _box(image, left - 0.03, bottom, right + 0.03, bottom + 0.03, (*scaled(style.trim, 1.1), 255, 0))


def _storey(
    rng: np.random.Generator, style: _Style, storeys: int, bays: int, width: int, height: int, ppm: float
) -> Bytes:
    variants = np.zeros((VARIANTS, height, width, 5), np.uint8)
    half = style.window_width / 2
    top = 0.5 - style.window_height / 2
    for image in variants:
        if style.bands:
            _box(image, 0, 0.97, 1, 1, (*style.trim, 255, 0))
        _window(rng, image, style, (0.5 - half, top, 0.5 + half, top + style.window_height))
    if style.balconies and ppm >= 4:
        for image in variants[: VARIANTS // 2]:
            _box(image, 0.1, 0.62, 0.9, 0.94, (*scaled(style.trim, 0.6), 255, 0))
            _box(image, 0.1, 0.92, 0.9, 0.98, (*scaled(style.colour, 0.55), 255, 0))
    chosen = rng.integers(VARIANTS, size=(storeys, bays))
    if style.balconies:
        chosen[:, ::2] %= VARIANTS // 2
        chosen[:, 1::2] = VARIANTS // 2 + chosen[:, 1::2] % (VARIANTS - VARIANTS // 2)
    return variants[chosen].transpose(0, 2, 1, 3, 4).reshape(storeys * height, bays * width, 5)


def _ground_floor(
    rng: np.random.Generator, style: _Style, bays: int, width: int, height: int, ppm: float
) -> Bytes:
    variants = np.zeros((VARIANTS, height, width, 5), np.uint8)
    sign = hsv(rng.uniform(0, 360), rng.uniform(0.2, 0.9), rng.uniform(0.3, 0.9))
    open_late = rng.random() < 0.7
    for index, image in enumerate(variants):
        door = index == 0
        if style.shops and not door:
            _shop(rng, image, sign, open_late=open_late, ppm=ppm)
        elif door:
            _box(image, 0.3, 0.3, 0.7, 1, (*scaled(style.trim, 0.9), 255, 0))
            _box(image, 0.34, 0.34, 0.66, 1, (*hsv(rng.uniform(0, 60), 0.5, rng.uniform(0.15, 0.5)), 255, 0))
            _box(image, 0.38, 0.36, 0.62, 0.5, (60, 66, 74, 255, 12))
        else:
            half = style.window_width / 2
            _window(rng, image, style, (0.5 - half, 0.28, 0.5 + half, 0.28 + style.window_height * 0.8))
    chosen = rng.integers(1, VARIANTS, size=bays)
    chosen[int(rng.integers(bays))] = 0
    return variants[chosen].transpose(1, 0, 2, 3).reshape(height, bays * width, 5)


def _shop(rng: np.random.Generator, image: Bytes, sign: Colour, *, open_late: bool, ppm: float) -> None:
    """Draw a shop window with goods in it and the name of the shop above."""
    _box(image, 0.0, 0.06, 1.0, 0.24, (*sign, 255, 30 if open_late else 0))
    height, width = image.shape[:2]
    if ppm >= 16:
        ink = (245, 245, 240) if sum(sign) < 420 else (30, 30, 34)
        name = "".join(rng.choice(list("AEIORSTLNMBCKPHG"), size=int(rng.integers(4, 8))))
        size = 0.11 * height / 21
        band = np.ascontiguousarray(image[round(0.06 * height) : round(0.24 * height), :, :3])
        spot = (round(0.08 * width), round(0.145 * height))
        cv2.putText(
            band, name, spot, cv2.FONT_HERSHEY_DUPLEX, size, ink, max(1, round(size * 1.6)), cv2.LINE_AA
        )
        image[round(0.06 * height) : round(0.24 * height), :, :3] = band
    _box(image, 0.04, 0.28, 0.96, 0.97, (70, 72, 76, 255, 0))
    x0, x1, y0, y1 = round(0.07 * width), round(0.93 * width), round(0.31 * height), round(0.94 * height)
    pane = image[y0:y1, x0:x1]
    if pane.size == 0:
        return
    hues = rng.integers(40, 190, (3, 6, 1)) + rng.integers(-35, 36, (3, 6, 3))
    goods = cv2.resize(hues.clip(10, 220).astype(np.uint8), (pane.shape[1], pane.shape[0]))
    pane[..., :3] = (goods * 0.6 + np.array([60, 50, 34])).astype(np.uint8) if open_late else goods // 3 + 22
    pane[..., 3] = 255
    pane[..., 4] = int(rng.uniform(50, 140)) if open_late else 0
