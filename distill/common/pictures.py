"""Pictures of frames and maps, as reports and videos need them; NumPy and OpenCV alone."""

from __future__ import annotations

import base64
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

RGBImage = NDArray[np.uint8]


def confidence_colours(confidence: NDArray[np.uint8]) -> RGBImage:
    """Colour a confidence map, 0 (dark blue) to 255 (yellow).

    Cividis is perceptually uniform and reads the same with and without colour-vision deficiency
    (Nuñez et al., PLOS ONE 2018).
    """
    return np.ascontiguousarray(cv2.applyColorMap(confidence, cv2.COLORMAP_CIVIDIS)[..., ::-1])


def shrink(picture: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """Scale down to a width, averaging; narrower pictures stay as they are."""
    return _resize(picture, width, cv2.INTER_AREA)


def shrink_map(classes: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """Scale a map of class ids down to a width; no new ids appear."""
    return _resize(classes, width, cv2.INTER_NEAREST_EXACT)


def png_uri(picture: RGBImage) -> str:
    """A picture of few colours as a ``data:`` address, without loss."""
    return data_uri("image/png", _encode(".png", picture))


def jpeg_uri(picture: RGBImage) -> str:
    """A photograph as a ``data:`` address."""
    return data_uri("image/jpeg", _encode(".jpg", picture, cv2.IMWRITE_JPEG_QUALITY, 88))


def data_uri(kind: str, content: bytes) -> str:
    """The content of a file as a ``data:`` address.

    :param kind: media type, e.g. ``video/mp4``.
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _resize(picture: NDArray[np.uint8], width: int, interpolation: int) -> NDArray[np.uint8]:
    if picture.shape[1] <= width:
        return picture
    size = width, max(1, round(picture.shape[0] * width / picture.shape[1]))
    return np.asarray(cv2.resize(picture, size, interpolation=interpolation), np.uint8)


def _encode(suffix: str, picture: RGBImage, *options: int) -> Any:
    done, content = cv2.imencode(suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    assert done
    return content.tobytes()
