"""Which colours of a palette readers confuse, colour-blind ones among them, and the hatching that helps.

About one man in twelve sees red and green less apart than others. For each kind of dichromacy the palette
is simulated by the matrices of Machado, Oliveira and Fernandes (IEEE Transactions on Visualization and
Computer Graphics, 2009; severity 1), which hold for linear RGB. Two colours are confused if they differ by
less than :data:`CONFUSED` in any simulation or to normal vision, by CIE76 or CIEDE2000: each of the two
formulas overrates the differences of some colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Palette = Sequence[tuple[int, int, int]]
"""A colour (RGB, 0…255) for each class id."""

CONFUSED: Final = 10.0
"""Colour difference below which two colours count as confused."""
PATTERNS: Final = 9
"""Number of patterns, of which 0 is none: see :func:`kd_seg_ros.inference.overlay.hatching`."""

VISION: Final = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
"""Matrix from linear RGB to linear RGB as a reader sees it, by the kind of colour vision."""

_TO_XYZ: Final = np.array(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
)
"""Linear sRGB to CIE XYZ (IEC 61966-2-1)."""
_WHITE: Final = np.array([0.95047, 1.0, 1.08883])
"""XYZ of white, D65 and the 2° observer."""


class ClassMark(NamedTuple):
    """How a class is hatched."""

    pattern: int
    """Number of the pattern; 0: none."""
    stroke: int
    """Grey level of the strokes: 255 over dark colours, 0 over bright ones."""


NOT_HATCHED: Final = ClassMark(0, 0)
"""The mark of a class that is not hatched."""


@lru_cache(maxsize=16)
def class_marks(palette: tuple[tuple[int, int, int], ...]) -> tuple[ClassMark, ...]:
    """Return how each class is hatched, such that no two classes that are confused have the same pattern.

    Classes are taken in order, each gets the first pattern that no class confused with it has: of two
    confused classes the first stays plain. If there are more than patterns, the rarest among them is taken.
    """
    partners: list[list[int]] = [[] for _ in palette]
    for first, second in confused_pairs(palette):
        partners[second].append(first)
    patterns: list[int] = []
    for earlier in partners:
        used = [patterns[number] for number in earlier]
        patterns.append(min(range(PATTERNS), key=used.count))
    bright = _luminance(palette) > 0.18  # from here on black contrasts more than white
    strokes = np.where(bright, 0, 255).tolist()
    return tuple(ClassMark(pattern, stroke) for pattern, stroke in zip(patterns, strokes, strict=True))


def confused_pairs(palette: Palette) -> list[tuple[int, int]]:
    """Return the pairs of class ids, the smaller first, whose colours are confused by some reader."""
    if len(palette) < 2:
        return []
    close = np.zeros((len(palette), len(palette)), bool)
    for vision in VISION:
        lab = simulated_lab(palette, vision)
        close |= np.minimum(cie76(lab), ciede2000(lab)) < CONFUSED
    first, second = np.nonzero(np.triu(close, 1))
    return list(zip(first.tolist(), second.tolist(), strict=True))


def simulated_lab(palette: Palette, vision: str) -> Floats:
    """Return the colours as a reader sees them, in CIELAB, float64 [N, 3].

    :param vision: a key of :data:`VISION`.
    """
    seen = np.clip(_linear(palette) @ VISION[vision].T, 0, 1)
    ratio = seen @ _TO_XYZ.T / _WHITE
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio * (29 / 6) ** 2 / 3 + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def cie76(lab: Floats) -> Floats:
    """Return the differences of all pairs of colours by CIE76: distances in CIELAB, float64 [N, N].

    :param lab: [N, 3].
    """
    return np.asarray(np.linalg.norm(lab[:, None] - lab[None], axis=2), np.float64)


def ciede2000(lab: Floats) -> Floats:
    """Return the differences of all pairs of colours by CIEDE2000, float64 [N, N].

    The formula is that of Sharma, Wu and Dalal (Color Research & Application, 2005), with their names; all
    weights are 1, angles are in radians.

    :param lab: [N, 3].
    """
    # 1. a* is stretched near the grey axis; then chroma C' and hue h' of each colour, here for each pair.
    lightness, a, b = lab[:, 0], lab[:, 1], lab[:, 2]
    chroma = np.hypot(a, b)
    mean_chroma = (chroma[:, None] + chroma[None]) / 2
    g = 0.5 * (1 - np.sqrt(mean_chroma**7 / (mean_chroma**7 + 25.0**7)))
    a1, a2 = (1 + g) * a[:, None], (1 + g) * a[None]
    c1, c2 = np.hypot(a1, b[:, None]), np.hypot(a2, b[None])
    h1 = np.arctan2(b[:, None], a1) % (2 * np.pi)
    h2 = np.arctan2(b[None], a2) % (2 * np.pi)

    # 2. Differences of lightness, chroma and hue. Grey has no hue.
    grey = c1 * c2 == 0
    turn = np.where(grey, 0, (h2 - h1 + np.pi) % (2 * np.pi) - np.pi)
    d_lightness = lightness[None] - lightness[:, None]
    d_chroma = c2 - c1
    d_hue = 2 * np.sqrt(c1 * c2) * np.sin(turn / 2)

    # 3. Their means; that of the hues along the shorter way around the circle.
    mean_lightness = (lightness[None] + lightness[:, None]) / 2
    mean_c = (c1 + c2) / 2
    hue = np.where(grey, h1 + h2, (h1 + turn / 2) % (2 * np.pi))

    # 4. Weights of the three differences, and the rotation in the blue.
    t = (
        1
        - 0.17 * np.cos(hue - np.radians(30))
        + 0.24 * np.cos(2 * hue)
        + 0.32 * np.cos(3 * hue + np.radians(6))
        - 0.20 * np.cos(4 * hue - np.radians(63))
    )
    off = (mean_lightness - 50) ** 2
    s_lightness = 1 + 0.015 * off / np.sqrt(20 + off)
    s_chroma = 1 + 0.045 * mean_c
    s_hue = 1 + 0.015 * mean_c * t
    theta = np.radians(30) * np.exp(-(((np.degrees(hue) - 275) / 25) ** 2))
    rotation = -2 * np.sqrt(mean_c**7 / (mean_c**7 + 25.0**7)) * np.sin(2 * theta)
    x, y, z = d_lightness / s_lightness, d_chroma / s_chroma, d_hue / s_hue
    return np.asarray(np.sqrt(np.maximum(x**2 + y**2 + z**2 + rotation * y * z, 0)), np.float64)


def _luminance(palette: Palette) -> Floats:
    """Return the relative luminance of each colour, 0…1."""
    return np.asarray(_linear(palette) @ _TO_XYZ[1], np.float64)


def _linear(palette: Palette) -> Floats:
    """Return colours of sRGB as linear RGB, float64 [N, 3] of 0…1."""
    values = np.asarray(palette, np.float64).reshape(-1, 3) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
