"""Pictures of class maps, of where two of them differ, of confident mistakes and of border weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from distill.common import pictures
from distill.common.palette import Colour
from distill.common.pictures import RGBImage, confidence_colours, jpeg_uri, png_uri
from kd_seg_ros.common.classes import IGNORE_ID
from kd_seg_ros.inference.colour_vision import class_marks
from kd_seg_ros.inference.overlay import colorize

WIDTH: Final = 640
"""Width in pixels of a picture in the page."""
GAINED, LOST, BOTH_WRONG, UNLABELLED = 1, 2, 3, 4
"""Values of :func:`differences`; 0 means that both are right."""
GAINED_RGB, LOST_RGB, DARK_RGB = (0, 114, 178), (230, 159, 0), (40, 40, 40)
_WHITE: Final = (255, 255, 255)
_FONT: Final = 17
_ROOM: Final = 11
"""Radius in pixels of the circle in a region that a number needs."""
_STRIPES: Final = 8


@dataclass(frozen=True)
class Picture:
    """One picture of a panel, with its caption."""

    caption: str
    pixels: RGBImage
    photo: bool = False

    @property
    def uri(self) -> str:
        """The picture as a ``data:`` address."""
        return jpeg_uri(self.pixels) if self.photo else png_uri(self.pixels)


def shrink(photo: RGBImage) -> RGBImage:
    """Scale down to :data:`WIDTH`, averaging; narrower pictures stay as they are."""
    return pictures.shrink(photo, WIDTH)


def shrink_map(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Scale a map of ids down to :data:`WIDTH`; no new ids appear."""
    return pictures.shrink_map(values, WIDTH)


def class_picture(classes: NDArray[np.uint8], colours: Sequence[Colour]) -> RGBImage:
    """Colour and hatch a class map, and write its number into every region that has room for it.

    :param classes: [H, W], ids beyond ``colours`` become black.
    """
    small = shrink_map(classes)
    picture = Image.fromarray(colorize(small, colours, class_marks(tuple(colours))))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(_FONT)
    for train_id in np.unique(small[small < len(colours)]).tolist():
        for x, y in _middles(small == train_id):
            draw.text((x, y), str(train_id), _WHITE, font, anchor="mm", stroke_width=2, stroke_fill=(0, 0, 0))
    return np.array(picture)


def differences(
    labels: NDArray[np.uint8], first: NDArray[np.uint8], second: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Tell where only the second of two masks is right, only the first, or neither; uint8 [H, W]."""
    codes = np.full(labels.shape, BOTH_WRONG, np.uint8)
    right, other = first == labels, second == labels
    codes[other & ~right] = GAINED
    codes[right & ~other] = LOST
    codes[right & other] = 0
    codes[labels == IGNORE_ID] = UNLABELLED
    return codes


def difference_picture(photo: RGBImage, codes: NDArray[np.uint8]) -> RGBImage:
    """Colour :func:`differences` over a pale image: blue, orange, dark stripes; white without label."""
    small = shrink_map(codes)
    picture = _grey(shrink(photo), 0.4, 140)
    picture[small == GAINED] = GAINED_RGB
    picture[small == LOST] = LOST_RGB
    rows, columns = np.indices(small.shape)
    stripe = (rows + columns) % _STRIPES < _STRIPES // 2
    picture[(small == BOTH_WRONG) & stripe] = DARK_RGB
    picture[small == UNLABELLED] = _WHITE
    return picture


def mistakes_picture(
    photo: RGBImage, labels: NDArray[np.uint8], mask: NDArray[np.uint8], confidence: NDArray[np.uint8]
) -> RGBImage:
    """Colour the wrong pixels by their confidence over a dark image.

    :param confidence: uint8 [H, W], 255 is 1.
    """
    wrong = shrink_map(((mask != labels) & (labels != IGNORE_ID)).astype(np.uint8)).astype(bool)
    picture = _grey(shrink(photo), 0.3, 0)
    picture[wrong] = confidence_colours(shrink_map(confidence))[wrong]
    return picture


def weight_colour(weight: float) -> tuple[int, int, int]:
    """Colour of a border weight 0…8; 0, the ignored pixels, is white."""
    if weight == 0:
        return _WHITE
    red, green, blue = confidence_colours(np.full((1, 1), round(255 * weight / 8), np.uint8))[0, 0].tolist()
    return red, green, blue


def weights_picture(weights: NDArray[np.float32]) -> RGBImage:
    """Colour border weights, float32 [H, W] of 0…8."""
    table = [weight_colour(weight) for weight in range(9)]
    return colorize(shrink_map(weights.astype(np.uint8)), table)


def _grey(photo: RGBImage, contrast: float, brightness: float) -> RGBImage:
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY) * contrast + brightness
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)


def _middles(region: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return for each part of a region the point farthest from its edge, x and y, where a number fits."""
    padded = np.pad(region.astype(np.uint8), 1)  # numbers keep off the picture's edge, too
    inside = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]
    parts, numbers = cv2.connectedComponents(padded[1:-1, 1:-1])
    found = []
    for number in range(1, parts):
        depth = np.where(numbers == number, inside, 0)
        place = int(depth.argmax())
        if depth.flat[place] >= _ROOM:
            found.append((place % region.shape[1], place // region.shape[1]))
    return found
