"""Pictures of the demo's report and video, beside those of :mod:`distill.pictures`."""

from __future__ import annotations

import cv2
import numpy as np

from distill.pictures import RGBImage, confidence_colours


def confidence_scale() -> RGBImage:
    """The colours from 0 to 255 in a row, for a legend."""
    return confidence_colours(np.arange(256, dtype=np.uint8)[None])


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
