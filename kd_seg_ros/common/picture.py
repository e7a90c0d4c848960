"""What decoders return and raise, and what is done to colours and sizes whatever the format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

RGBImage = NDArray[np.uint8]
"""Red, green, blue, uint8 [H, W, 3]."""

TURNS: Final = (0, 90, 180, 270)
"""Angles by which an image can be turned, degrees clockwise."""
MAX_MEGAPIXELS: Final = 25.0
"""Default limit of an image's size, 10⁶ pixels: above 5472×3648 of large machine-vision cameras."""

_TURN_CODES: Final = {
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}


class DecodeError(ValueError):
    """A message or file that is no usable image; one line that says why."""


class DamagedImageError(DecodeError):
    """An image that is damaged, of which a decoder can make a picture all the same."""


class Picture(NamedTuple):
    """A camera's image of three colours, in the order in which they came."""

    pixels: NDArray[np.uint8]
    """[H, W, 3], perhaps with gaps between the rows."""
    bgr: bool
    """The channels are blue, green, red; else red, green, blue."""
    damage: str = ""
    """What the decoder complained of, where a damaged image was to be used; empty for a whole one."""

    def rgb(self) -> RGBImage:
        """Return the pixels as RGB."""
        return convert(self.pixels, cv2.COLOR_BGR2RGB) if self.bgr else self.pixels

    def turned(self, degrees: int) -> Picture:
        """Return the picture turned clockwise; without a copy for 0 degrees.

        :param degrees: one of :data:`TURNS`.
        """
        return self._replace(pixels=turn(self.pixels, degrees))


@dataclass(frozen=True)
class DecodeOptions:
    """How images are decoded, the same for raw and for compressed ones."""

    max_megapixels: float = MAX_MEGAPIXELS
    """Larger images are refused before memory is taken for them, 10⁶ pixels."""
    white_level: int = 0
    """Value of 16-bit images that becomes 255, such as 4095 for a camera of 12 bits; 0: they are refused."""
    rotate: int = 0
    """Degrees by which images are turned clockwise, one of :data:`TURNS`."""
    use_damaged: bool = False
    """Use what the decoder makes of a damaged JPEG in place of refusing it."""


DECODE_DEFAULTS: Final = DecodeOptions()
"""Images of up to 25 megapixels and 8 bits, as they are."""


def turn(pixels: NDArray[Any], degrees: int) -> NDArray[Any]:
    """Turn an array [H, W] or [H, W, C] clockwise; the same array for 0 degrees.

    :param degrees: one of :data:`TURNS`.
    """
    return np.asarray(cv2.rotate(pixels, _TURN_CODES[degrees])) if degrees else pixels


def check_size(height: int, width: int, options: DecodeOptions) -> None:
    """Refuse an image of no pixels, or of more than there may be.

    :raises DecodeError: with the size and the limit.
    """
    if height <= 0 or width <= 0:
        raise DecodeError(f"the image is empty: {width}×{height}")
    if height * width > options.max_megapixels * 1e6:
        raise DecodeError(
            f"an image of {width}×{height} is above the limit of {options.max_megapixels:g} megapixels "
            "(max_image_megapixels)"
        )


def convert(image: NDArray[Any], code: int) -> RGBImage:
    """Convert colours by OpenCV's ``code``."""
    return np.asarray(cv2.cvtColor(image, code), np.uint8)


def demosaic(raw: NDArray[Any], code: int) -> RGBImage:
    """Turn a Bayer mosaic, uint8 [H, W], into RGB by OpenCV's conversion ``code``."""
    if min(raw.shape) < 3:
        raise DecodeError(f"a Bayer image must be at least 3×3 pixels, not {raw.shape[1]}×{raw.shape[0]}")
    return convert(raw, code)


def scaled_to_8_bits(deep: NDArray[np.uint16], white_level: int, name: str) -> NDArray[np.uint8]:
    """Bring 16-bit values to 8 bits: round(255 · value / white_level), at most 255.

    :param deep: uint16 [H, W] or [H, W, C], in the machine's order of bytes.
    :param white_level: 1…65535; 0: it is not known.
    :param name: what the image is called in the error message.
    :raises DecodeError: if the white level is not known.
    """
    check_white_level(white_level, name)
    return np.asarray(cv2.convertScaleAbs(deep, alpha=255 / white_level), np.uint8)


def check_white_level(white_level: int, name: str) -> None:
    """Raise :class:`DecodeError` for a white level of 0: the range of 16-bit values cannot be guessed."""
    if not white_level:
        raise DecodeError(
            f"{name} has more than 8 bits per channel: set white_level to the value that is white, such as "
            "4095 for a camera of 12 bits, or convert it to 8"
        )
