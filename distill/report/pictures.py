"""Pictures of class maps, of where two of them differ, of confident mistakes and of border weights."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from distill.palette import Colour
from kd_seg_ros.classes import IGNORE_ID
from kd_seg_ros.overlay import colorize

Rgb = NDArray[np.uint8]

WIDTH: Final = 640
"""Pixels of a picture in the page."""
GAINED, LOST, BOTH_WRONG, UNLABELLED = 1, 2, 3, 4
"""Codes of :func:`differences`; 0: both are right."""
GAINED_RGB, LOST_RGB, DARK_RGB = (0, 114, 178), (230, 159, 0), (40, 40, 40)
_WHITE: Final = (255, 255, 255)
_FONT: Final = 17
_ROOM: Final = 11
"""Radius in pixels of the circle in a region that a number needs."""
_STRIPES: Final = 8


@dataclass(frozen=True)
class Picture:
    """One picture of a panel."""

    caption: str
    pixels: Rgb
    photo: bool = False

    @property
    def uri(self) -> str:
        """The picture as a ``data:`` address: JPEG for photographs, else PNG."""
        suffix, options = (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 85]) if self.photo else (".png", [])
        done, content = cv2.imencode(suffix, cv2.cvtColor(self.pixels, cv2.COLOR_RGB2BGR), options)
        assert done
        kind = "jpeg" if self.photo else "png"
        return f"data:image/{kind};base64,{base64.b64encode(content.tobytes()).decode()}"


def shrink(photo: Rgb) -> Rgb:
    """Scale down to :data:`WIDTH`, averaging; narrower pictures stay as they are."""
    return _resize(photo, cv2.INTER_AREA)


def shrink_map(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Scale a map of ids down to :data:`WIDTH`; no new ids appear."""
    return _resize(values, cv2.INTER_NEAREST_EXACT)


def class_picture(classes: NDArray[np.uint8], colours: Sequence[Colour]) -> Rgb:
    """Colour a class map and write the number of its class into every region that has room for it.

    :param classes: [H, W], ids beyond ``colours`` become black.
    """
    small = shrink_map(classes)
    picture = Image.fromarray(colorize(small, colours))
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


def difference_picture(photo: Rgb, codes: NDArray[np.uint8]) -> Rgb:
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
    photo: Rgb, labels: NDArray[np.uint8], mask: NDArray[np.uint8], confidence: NDArray[np.uint8]
) -> Rgb:
    """Colour the wrong pixels by their confidence over a dark image.

    :param confidence: uint8 [H, W], 255 is 1.
    """
    wrong = shrink_map(((mask != labels) & (labels != IGNORE_ID)).astype(np.uint8)).astype(bool)
    picture = _grey(shrink(photo), 0.3, 0)
    picture[wrong] = confidence_colours(shrink_map(confidence))[wrong]
    return picture


def confidence_colours(confidence: NDArray[np.uint8]) -> Rgb:
    """Colour a confidence map by cividis, 0 (dark blue) to 255 (yellow).

    Cividis reads the same with and without colour-vision deficiency (Nuñez et al., PLOS ONE 2018).
    """
    return np.ascontiguousarray(cv2.applyColorMap(confidence, cv2.COLORMAP_CIVIDIS)[..., ::-1])


def weight_colour(weight: float) -> tuple[int, int, int]:
    """Colour of a border weight 0…8; 0, the ignored pixels, is white."""
    if weight == 0:
        return _WHITE
    red, green, blue = confidence_colours(np.full((1, 1), round(255 * weight / 8), np.uint8))[0, 0].tolist()
    return red, green, blue


def weights_picture(weights: NDArray[np.float32]) -> Rgb:
    """Colour border weights, float32 [H, W] of 0…8."""
    table = [weight_colour(weight) for weight in range(9)]
    return colorize(shrink_map(weights.astype(np.uint8)), table)


def _resize(picture: NDArray[Any], interpolation: int) -> Any:
    height, width = picture.shape[:2]
    if width <= WIDTH:
        return picture
    return cv2.resize(picture, (WIDTH, max(1, round(height * WIDTH / width))), interpolation=interpolation)


def _grey(photo: Rgb, contrast: float, brightness: float) -> Rgb:
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
