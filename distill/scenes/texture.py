"""Colour conversion, tileable noise and the texture type.

Textures hold sRGB bytes; light is computed in linear radiance (IEC 61966-2-1 both ways).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ParamSpec

import cv2
import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating[Any]]
"""Single precision for arrays as large as an image."""
Colour = tuple[int, int, int]
"""Red, green and blue in sRGB, 0…255."""

NOISE_SIZE = 512
Arguments = ParamSpec("Arguments")


def _to_linear(value: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def _to_srgb(value: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055)


TO_LINEAR: Floats = _to_linear(np.arange(256) / 255).astype(np.float32)
_ENCODE_STEPS = 8192
_TO_SRGB: Bytes = np.rint(255 * _to_srgb(np.arange(_ENCODE_STEPS) / (_ENCODE_STEPS - 1))).astype(np.uint8)


def linear(colour: Sequence[float]) -> Floats:
    """Return an sRGB colour (0…255) as linear radiance 0…1."""
    return _to_linear(np.asarray(colour, np.float64) / 255).astype(np.float32)


def encode(radiance: Floats) -> Bytes:
    """Turn linear radiance, clipped to 0…1, into sRGB bytes (exact to one step of 8192; noise dithers)."""
    index = np.clip(radiance, 0, 1) * np.float32(_ENCODE_STEPS - 1) + np.float32(0.5)
    return _TO_SRGB[index.astype(np.uint16)]


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """Return the colour of hue (degrees), saturation and value (0…1)."""
    pixel = np.array([[[hue % 360, saturation, value]]], np.float32)
    red, green, blue = (cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0] * 255).tolist()
    return round(red), round(green), round(blue)


def scaled(colour: Colour, factor: float) -> Colour:
    """Return the colour made darker or lighter."""
    red, green, blue = np.clip(np.round(np.array(colour) * factor), 0, 255).astype(int).tolist()
    return red, green, blue


@dataclass(frozen=True, eq=False)
class Texture:
    """A flat picture to be put on a parallelogram.

    ``pixels`` is RGBA [h,w,4], colours not premultiplied; ``glow`` [h,w] is emission in 1/32 of the radiance
    of a white surface by day; ``cover`` [h,w] says which pixels carry the label where that is more than the
    opaque ones (gaps of a fence, wheels, bare branches: annotators paint them whole).
    """

    pixels: Bytes
    glow: Bytes | None = None
    cover: Bytes | None = None
    opaque: bool = False
    """True if alpha is 255 everywhere."""

    def columns(self, start: float, stop: float) -> Texture:
        """Return the part between two fractions of the width."""
        width = self.pixels.shape[1]
        first = min(int(start * width), width - 1)
        part = slice(first, max(round(stop * width), first + 1))
        return Texture(
            self.pixels[:, part],
            None if self.glow is None else self.glow[:, part],
            None if self.cover is None else self.cover[:, part],
            self.opaque,
        )

    def resized(self, height: int, width: int) -> Texture:
        """Return the texture made smaller by averaging."""
        size = (max(2, width), max(2, height))
        return Texture(
            _shrunk(self.pixels, size),
            None if self.glow is None else _shrunk(self.glow, size),
            None if self.cover is None else _shrunk(self.cover, size),
            self.opaque,
        )


def _shrunk(image: Bytes, size: tuple[int, int]) -> Bytes:
    """Scale an image down to ``size`` (width, height) by averaging."""
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8)


def mipmapped(drawn: int) -> Callable[[Callable[Arguments, Texture]], Callable[Arguments, Texture]]:
    """Decorate a function whose last argument is a level, 0 the finest, to keep its pictures.

    Levels up to ``drawn`` are drawn by the function, coarser ones made by halving the level before.
    """

    def decorate(draw: Callable[Arguments, Texture]) -> Callable[Arguments, Texture]:
        @lru_cache(maxsize=1024)
        def look(*key: Any) -> Texture:
            *what, level = key
            if level <= drawn:
                return draw(*key)  # type: ignore[call-arg]
            finer = look(*what, level - 1)
            return finer.resized(finer.pixels.shape[0] // 2, finer.pixels.shape[1] // 2)

        return look  # type: ignore[return-value]

    return decorate


@lru_cache(maxsize=64)
def noise(variant: int, cells: int, octaves: int = 4, gain: float = 0.6) -> Floats:
    """Return tileable fractal noise [512,512] of zero mean and unit standard deviation.

    :param cells: cells per side of the tile in the first octave.
    """
    rng = np.random.default_rng([variant, cells, octaves])
    total = np.zeros((NOISE_SIZE, NOISE_SIZE), np.float32)
    for octave in range(octaves):
        count = cells << octave
        if count > NOISE_SIZE:
            break
        grid = np.pad(rng.standard_normal((count, count), np.float32), 2, mode="wrap")
        scale = NOISE_SIZE // count
        big = cv2.resize(grid, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        total += gain**octave * big[2 * scale : 2 * scale + NOISE_SIZE, 2 * scale : 2 * scale + NOISE_SIZE]
    return (total - total.mean()) / total.std()


def noise_patch(rng: np.random.Generator, height: int, width: int, cells: int, octaves: int = 4) -> Floats:
    """Return a randomly placed crop (wrapped) of one of a few noise tiles, [height,width]."""
    tile = noise(int(rng.integers(8)), cells, octaves)
    top, left = rng.integers(NOISE_SIZE, size=2)
    rows = (top + np.arange(height)) % NOISE_SIZE
    return tile[rows[:, None], ((left + np.arange(width)) % NOISE_SIZE)[None]]


def sample(tile: Floats, u: Floats, v: Floats) -> Floats:
    """Look up the nearest value of a tile [512,512] repeated for ever, u and v in tiles."""
    size = np.float32(NOISE_SIZE)
    column = np.floor(u * size).astype(np.int32) & (NOISE_SIZE - 1)
    row = np.floor(v * size).astype(np.int32) & (NOISE_SIZE - 1)
    return np.take(tile.reshape(-1), row * NOISE_SIZE + column)


def warp(image: Bytes, pull: npt.NDArray[np.float64], size: tuple[int, int]) -> Bytes:
    """Return ``image`` resampled to ``size`` (width, height) through the homography ``pull`` [3,3]."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpPerspective(image, pull, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return warped.astype(np.uint8, copy=False)
