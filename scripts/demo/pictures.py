"""Pictures of frames and maps, for the report and the video."""

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


def confidence_scale() -> RGBImage:
    """The colours from 0 to 255 in a row, for a legend."""
    return confidence_colours(np.arange(256, dtype=np.uint8)[None])


def shrink(picture: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """Scale down to a width, averaging; narrower pictures stay as they are."""
    height = max(1, round(picture.shape[0] * width / picture.shape[1]))
    if picture.shape[1] <= width:
        return picture
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def shrink_map(classes: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """Scale a map of class ids down to a width; no new ids appear."""
    height = max(1, round(classes.shape[0] * width / classes.shape[1]))
    if classes.shape[1] <= width:
        return classes
    return np.asarray(cv2.resize(classes, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)


def letterbox(picture: RGBImage, height: int, width: int) -> RGBImage:
    """Fit a picture into a black frame of a given size, keeping its proportions."""
    scale = min(height / picture.shape[0], width / picture.shape[1])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    shrinks = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    fitted = cv2.resize(picture, size, interpolation=shrinks)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    frame = np.zeros((height, width, 3), np.uint8)
    frame[top : top + size[1], left : left + size[0]] = fitted
    return frame


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


def _encode(suffix: str, picture: RGBImage, *options: int) -> Any:
    done, content = cv2.imencode(suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    assert done
    return content.tobytes()
