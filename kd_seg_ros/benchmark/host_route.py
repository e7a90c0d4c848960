"""Pre- and post-processing on the host by OpenCV and NumPy, as a node without the engine's graph does it.

What the engine's ways are compared with; nothing on a vehicle uses it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.gpu.geometry import Geometry, Size

Maps = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]
"""Mask, confidence and probability, [H, W]."""


def network_image(image: NDArray[np.uint8], card: ModelCard, geometry: Geometry) -> NDArray[np.float16]:
    """Return the network's image, float16 [1, 3, h, w]: resized, normalised and padded.

    :param image: RGB, uint8 [H, W, 3].
    """
    resized = np.asarray(image, np.uint8)
    if geometry.working != geometry.image:
        resized = np.asarray(cv2.resize(image, geometry.working[::-1]), np.uint8)
    mean, std = np.array(card.mean, np.float32), np.array(card.std, np.float32)
    normalised = (resized.astype(np.float32) / 255 - mean) / std
    padding = [(0, 0)]
    for before, working, padded in zip(geometry.before, geometry.working, geometry.padded, strict=True):
        padding.append((before, padded - working - before))
    planes = np.pad(normalised.transpose(2, 0, 1), padding)
    return np.ascontiguousarray(planes[None], np.float16)


def image_maps(logits: NDArray[np.float32], size: Size) -> Maps:
    """Return the maps at the image's size of uncalibrated logits [1, C, h, w].

    :param size: (height, width).
    """
    planes = [cv2.resize(plane, size[::-1], interpolation=cv2.INTER_LINEAR) for plane in logits[0]]
    z = np.stack(planes)
    e = np.exp(z - z.max(axis=0))
    probability = np.asarray(1 / e.sum(axis=0), np.float32)
    return z.argmax(axis=0).astype(np.uint8), np.round(255 * probability).astype(np.uint8), probability
