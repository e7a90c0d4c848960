"""Draws pictures of traffic signs."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from distill.scenes.texture import Bytes, Colour, Texture, mipmapped

SignKind = Literal[
    "limit", "ban", "yield", "warning", "priority", "order", "parking", "stop", "crossing", "guide", "bus"
]
SIGNS: tuple[SignKind, ...] = (
    "limit",
    "ban",
    "yield",
    "warning",
    "priority",
    "order",
    "parking",
    "stop",
    "crossing",
    "guide",
    "bus",
)
VARIANTS = 12
"""Different plates of one kind: numbers, inscriptions, colours."""


@mipmapped(0)
def sign_picture(kind: SignKind, variant: int, level: int) -> Texture:
    """Draw the plate of a sign, 64 pixels high, transparent around its outline; halved ``level`` times."""
    del level
    rng = np.random.default_rng([variant, SIGNS.index(kind)])
    image: Bytes = np.zeros((64, 96 if kind == "guide" else 64, 3), np.uint8)
    alpha = np.zeros(image.shape[:2], np.uint8)
    red, blue, white, black = (190, 22, 32), (18, 76, 160), (238, 238, 234), (18, 18, 20)
    triangle = [(32.0, 3.0), (62.0, 57.0), (2.0, 57.0)]
    if kind in ("limit", "ban", "order"):
        cv2.circle(alpha, (32, 32), 31, 255, -1)
        _circle(image, 32, red if kind != "order" else blue)
        if kind == "order":
            cv2.arrowedLine(image, (32, 52), (32, 14), white, 6, cv2.LINE_AA, tipLength=0.4)
        elif kind == "limit":
            _circle(image, 24, white)
            _word(image, str(rng.choice([30, 50, 60, 80])), black, 0.9)
        else:
            cv2.rectangle(image, (12, 26), (52, 38), white, -1)
    elif kind in ("yield", "warning"):
        points = [(x, 64 - y) for x, y in triangle] if kind == "yield" else triangle
        cv2.fillPoly(alpha, [np.array(points, np.int32)], 255)
        image[:] = red
        _polygon(image, points, white, 0.62)
        if kind == "warning":
            cv2.line(image, (32, 26), (32, 42), black, 5)
            cv2.circle(image, (32, 49), 3, black, -1)
    elif kind == "priority":
        diamond = [(32.0, 1.0), (63.0, 32.0), (32.0, 63.0), (1.0, 32.0)]
        cv2.fillPoly(alpha, [np.array(diamond, np.int32)], 255)
        image[:] = white
        _polygon(image, diamond, (240, 190, 20), 0.7)
    elif kind == "stop":
        angle = (np.arange(8) + 0.5) * np.pi / 4
        ring = np.stack([32 + 32 * np.cos(angle), 32 + 32 * np.sin(angle)], 1)
        cv2.fillPoly(alpha, [np.rint(ring).astype(np.int32)], 255)
        image[:] = red
        _word(image, "STOP", white, 0.62)
    elif kind == "guide":
        alpha[:] = 255
        image[:] = (18, 76, 160) if variant % 2 else (14, 98, 60) if variant % 3 else (236, 236, 230)
        ink = white if variant % 2 or variant % 3 else black
        for row in (16, 34, 52):
            x = 8
            while x < 80:
                step = int(rng.integers(3, 9))
                cv2.rectangle(image, (x, row - 5), (x + step, row + 4), ink, -1)
                x += step + 4
    else:
        alpha[:] = 255
        image[:] = blue if kind != "bus" else (228, 196, 30)
        if kind == "parking":
            _word(image, "P", white, 1.6)
        elif kind == "bus":
            _word(image, "H", (20, 110, 60), 1.3)
        else:
            _polygon(image, [(32.0, 8.0), (56.0, 54.0), (8.0, 54.0)], white)
            cv2.line(image, (32, 24), (32, 40), black, 5)
    return Texture(np.dstack([image, alpha]))


def _circle(image: Bytes, radius: int, colour: Colour) -> None:
    """Fill a circle in the middle of a plate."""
    cv2.circle(image, (32, 32), radius, colour, -1, cv2.LINE_AA)


def _polygon(image: Bytes, points: list[tuple[float, float]], colour: Colour, scale: float = 1.0) -> None:
    """Fill a polygon of pixel corners (column, row), scaled about the middle of a plate."""
    array = (np.array(points) - (32, 34)) * scale + (32, 34)
    cv2.fillPoly(image, [np.rint(array).astype(np.int32)], colour, cv2.LINE_AA)


def _word(image: Bytes, text: str, colour: Colour, size: float) -> None:
    """Write a word in the middle of a plate."""
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 3)
    spot = (32 - width // 2, 32 + height // 2)
    cv2.putText(image, text, spot, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 3, cv2.LINE_AA)
