"""Draws flat figures in metres: limbs, discs and polygons with an alpha mask."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

from distill.scenes.texture import Bytes, Colour, Texture, noise_patch, scaled

Spot = tuple[float, float]
"""(right of the middle, above the ground) in metres."""
_BITS = 4


class Sketch:
    """A picture ``width`` by ``height`` metres with its origin in the middle of the lower edge."""

    def __init__(self, width: float, height: float, ppm: float, backdrop: Colour) -> None:
        self.ppm = ppm
        shape = (max(4, round(height * ppm)), max(4, round(width * ppm)))
        self.rgb: Bytes = np.full((*shape, 3), backdrop, np.uint8)
        self.alpha: Bytes = np.zeros(shape, np.uint8)
        self.cover: Bytes = np.zeros(shape, np.uint8)
        self._origin = np.array([shape[1] / 2, float(shape[0])])

    def _pixels(self, spots: Sequence[Spot]) -> np.ndarray:
        points = self._origin + np.asarray(spots, np.float64) * (self.ppm, -self.ppm) - 0.5
        return np.rint(points * (1 << _BITS)).astype(np.int32)

    def polygon(self, spots: Sequence[Spot], colour: Colour) -> None:
        """Fill an outline."""
        points = self._pixels(spots)
        cv2.fillPoly(self.rgb, [points], colour, cv2.LINE_AA, _BITS)
        cv2.fillPoly(self.alpha, [points], 255, cv2.LINE_AA, _BITS)

    def disc(self, spot: Spot, radius: float, colour: Colour, squash: float = 1.0) -> None:
        """Fill a circle, or an ellipse ``squash`` times as wide as high."""
        angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
        self.polygon(
            [(spot[0] + radius * squash * np.cos(a), spot[1] + radius * np.sin(a)) for a in angle], colour
        )

    def ring(self, spot: Spot, radius: float, width: float, colour: Colour) -> None:
        """Draw a circle as a line of constant width."""
        angle = np.linspace(0, 2 * np.pi, 28)
        self.line(
            [(spot[0] + radius * np.cos(a), spot[1] + radius * np.sin(a)) for a in angle], width, colour
        )

    def line(self, spots: Sequence[Spot], width: float, colour: Colour) -> None:
        """Draw a line of constant width in metres; thinner than a pixel it fades."""
        points = self._pixels(spots)
        thick = width * self.ppm
        if thick < 1:
            veil = np.zeros_like(self.alpha)
            cv2.polylines(veil, [points], False, round(255 * thick), 1, cv2.LINE_AA, _BITS)
            new = veil > self.alpha
            self.rgb[new] = colour
            self.alpha = np.maximum(self.alpha, veil)
            return
        cv2.polylines(self.rgb, [points], False, colour, max(1, round(thick)), cv2.LINE_AA, _BITS)
        cv2.polylines(self.alpha, [points], False, 255, max(1, round(thick)), cv2.LINE_AA, _BITS)

    def limb(self, spots: Sequence[Spot], widths: Sequence[float], colour: Colour) -> None:
        """A chain of tapering pieces with round joints, lit from the left."""
        for index, (start, stop) in enumerate(pairwise(spots)):
            a, b = np.asarray(start), np.asarray(stop)
            along = (b - a) / (np.linalg.norm(b - a) + 1e-9)
            out = np.array([-along[1], along[0]])
            w0, w1 = widths[index] / 2, widths[index + 1] / 2
            corners = [a + out * w0, b + out * w1, b - out * w1, a - out * w0]
            self.polygon([(float(x), float(y)) for x, y in corners], colour)
            shade = [a, b, b - out * w1, a - out * w0] if out[0] < 0 else [a + out * w0, b + out * w1, b, a]
            self.polygon([(float(x), float(y)) for x, y in shade], scaled(colour, 0.84))
            self.disc(stop, w1, colour)

    def whole(self, spots: Sequence[Spot]) -> None:
        """Give an area the label though one may see through it."""
        cv2.fillPoly(self.cover, [self._pixels(spots)], 255, cv2.LINE_8, _BITS)

    def texture(self, rng: np.random.Generator) -> Texture:
        """The picture, with the unevenness of cloth and paint."""
        folds = noise_patch(rng, self.alpha.shape[0], self.alpha.shape[1], 32, 3)
        rgb = np.clip(self.rgb * (1 + 0.07 * folds)[..., None], 0, 255).astype(np.uint8)
        return Texture(np.dstack([rgb, self.alpha]), cover=np.maximum(self.cover, self.alpha))
