"""Test-time augmentation: several views of an image, and the mean of their probabilities.

Each function turns a predictor into another one, so that they combine: ``flipped(scaled(predict, scales))``.
The mean is taken of probabilities p, not of logits::

    log p = log( 1/n · Σ_i p_i )
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distill.evaluation.predictors import Predictor
from distill.models.output import upsample
from kd_seg_ros.common.errors import UserError

MOST_WINDOWS = 1000
"""Windows of one image that are computed at most: a full HD image in windows of 72×72 has 952."""
SMALLEST = torch.finfo(torch.float32).tiny
"""Probabilities below this count as this before the logarithm is taken."""


def flipped(predict: Predictor) -> Predictor:
    """Return a predictor that averages over the image and its mirror image."""

    def both(image: NDArray[np.uint8]) -> Tensor:
        mirrored = predict(np.ascontiguousarray(image[:, ::-1])).flip(-1)
        return torch.logaddexp(predict(image), mirrored) - math.log(2)

    return both


def scaled(predict: Predictor, scales: Sequence[float]) -> Predictor:
    """Return a predictor that averages over the image resized by each factor.

    The probabilities are resized back to the image bilinearly.
    """

    def all_sizes(image: NDArray[np.uint8]) -> Tensor:
        height, width = image.shape[:2]
        total: Tensor | float = 0.0
        for scale in scales:
            size = max(1, round(height * scale)), max(1, round(width * scale))
            total = total + upsample(predict(_resized(image, size)).exp()[None], (height, width))[0]
        assert isinstance(total, Tensor)
        return (total / len(scales)).clamp_min(SMALLEST).log()

    return all_sizes


def tiled(predict: Predictor, tile: tuple[int, int], overlap: float) -> Predictor:
    """Return a predictor that averages over windows that cover the image.

    :param tile: height and width of the windows; an image that is smaller in one of them is seen whole there.
    :param overlap: least share of a window that its neighbour sees too, 0…1 exclusive.
    """

    def windows(image: NDArray[np.uint8]) -> Tensor:
        rows, height = starts(image.shape[0], tile[0], overlap)
        columns, width = starts(image.shape[1], tile[1], overlap)
        number = len(rows) * len(columns)
        if number > MOST_WINDOWS:
            raise UserError(
                f"--tile {tile[0]}x{tile[1]} with --overlap {overlap:g} makes {number} windows of an image "
                f"of {image.shape[0]}x{image.shape[1]}, more than {MOST_WINDOWS}: give larger ones"
            )
        # The sum of the probabilities of all windows, divided by how many windows see each pixel.
        total = weight = None
        for top in rows:
            for left in columns:
                p = predict(np.ascontiguousarray(image[top : top + height, left : left + width])).exp()
                if total is None or weight is None:
                    total = p.new_zeros(len(p), *image.shape[:2])
                    weight = p.new_zeros(image.shape[:2])
                total[:, top : top + height, left : left + width] += p
                weight[top : top + height, left : left + width] += 1
        assert total is not None
        assert weight is not None
        return (total / weight).clamp_min(SMALLEST).log()

    return windows


def starts(length: int, window: int, overlap: float) -> tuple[list[int], int]:
    """Return where windows along one axis begin, evenly spread, and how long they are.

    :param length: pixels of the axis.
    :param window: pixels of a window; longer than the axis: one window is the whole axis.
    :param overlap: least share of a window that its neighbour sees too.
    """
    if window >= length:
        return [0], length
    most = max(1, math.floor(window * (1 - overlap)))
    steps = math.ceil((length - window) / most)
    return [round(i * (length - window) / steps) for i in range(steps + 1)], window


def _resized(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize to height and width: by averaging when shrinking, bilinearly when enlarging."""
    interpolation = cv2.INTER_AREA if size[0] <= image.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size[::-1], interpolation=interpolation), np.uint8)
