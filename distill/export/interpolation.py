"""Bilinear resizing as matrices, one per axis.

Resizing an axis from n to N samples with half-pixel centres is linear. Sample i of the result reads the
source at x_i::

    x_i = (i + ½) · n / N − ½, clipped to 0 … n − 1        weight of source sample k: max(0, 1 − |x_i − k|)

which makes a matrix [N, n] with at most two entries a row. Steps that follow each other are the product of
their matrices, which is banded too: a network's upsampling to the padded size, the crop of the padding and
the resizing to the camera's size are one matrix, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def bilinear(source: int, target: int) -> Matrix:
    """Return the matrix [target, source] of one resizing."""
    x = np.clip((np.arange(target) + 0.5) * source / target - 0.5, 0, source - 1)
    return np.maximum(0, 1 - np.abs(x[:, None] - np.arange(source)))


def upsampling(logits: int, padded: int, before: int, working: int, image: int) -> Matrix:
    """Return the matrix [image, logits] from a network's logits to the camera's image, along one axis.

    :param logits: samples of the network's logits.
    :param padded: samples of what the network sees.
    :param before: of these, samples of padding before the image.
    :param working: samples of the image as the network sees it, between its paddings.
    :param image: samples of the camera's image.
    """
    return bilinear(working, image) @ bilinear(logits, padded)[before : before + working]


def support(matrix: Matrix) -> tuple[int, int]:
    """Return the range of columns outside of which all entries are 0."""
    used = np.flatnonzero(matrix.any(axis=0))
    return int(used[0]), int(used[-1]) + 1


def is_identity(matrix: Matrix) -> bool:
    """Tell whether a matrix leaves every vector as it is."""
    return matrix.shape[0] == matrix.shape[1] and np.array_equal(matrix, np.eye(len(matrix)))


def parts(length: int, count: int) -> list[tuple[int, int]]:
    """Cut ``range(length)`` into ``count`` ranges of (nearly) equal lengths."""
    edges = [length * i // count for i in range(count + 1)]
    return list(pairwise(edges))


@dataclass(frozen=True)
class Upsampling:
    """The resizing of logits [h, w] to the image's size [H, W]: ``rows`` · logits · ``columns``ᵀ."""

    rows: Matrix
    """Matrix [H, h] that resizes columns of logits."""
    columns: Matrix
    """Matrix [W, w] that resizes rows of logits."""
