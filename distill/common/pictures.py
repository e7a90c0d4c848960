"""Pictures for reports and videos: coloured confidence, smaller copies, ``data:`` addresses."""

from __future__ import annotations

import base64
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

RGBImage = NDArray[np.uint8]
"""Pixels [H, W, 3], RGB."""


def confidence_colours(confidence: NDArray[np.uint8]) -> RGBImage:
    """Colour a confidence map, uint8 [H, W] from 0 (dark blue) to 255 (yellow), as RGB [H, W, 3].

    Cividis is perceptually uniform and reads the same with and without colour-vision deficiency
    (Nuñez et al., PLOS ONE 2018).
    """
    return np.ascontiguousarray(cv2.applyColorMap(confidence, cv2.COLORMAP_CIVIDIS)[..., ::-1])


def shrink(picture: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """Scale a picture down to a width in pixels by averaging; a narrower one stays as it is."""
    return _resize(picture, width, cv2.INTER_AREA)


def shrink_map(classes: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """Scale a map of class ids [H, W] down to a width in pixels by nearest neighbour: no new ids appear."""
    return _resize(classes, width, cv2.INTER_NEAREST_EXACT)


def png_uri(picture: RGBImage) -> str:
    """Return a picture as a ``data:`` address of a PNG, lossless: for pictures of few colours."""
    return data_uri("image/png", _encode(".png", picture))


def jpeg_uri(picture: RGBImage) -> str:
    """Return a picture as a ``data:`` address of a JPEG: for photographs."""
    return data_uri("image/jpeg", _encode(".jpg", picture, cv2.IMWRITE_JPEG_QUALITY, 88))


def data_uri(kind: str, content: bytes) -> str:
    """Return the content of a file as a ``data:`` address, which stands for the file in HTML.

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
