"""Bilinear resizing as matrices, one per axis.

Resizing an axis from n to N samples with half-pixel centres is linear. Sample i of the result reads the
source at x_i::

    x_i = (i + ½) · n / N − ½, clipped to 0 … n − 1        weight of source sample k: max(0, 1 − |x_i − k|)

which makes a matrix [N, n] with at most two entries a row. Steps that follow each other are the product of
their matrices, which is banded too: a network's upsampling to the padded size, the crop of the padding and
the resizing to the camera's size are one matrix, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
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
class Padding:
    """Zeros around the resized image, so that both sides are what the network takes."""

    working: tuple[int, int]
    """(h, w) of the image as the network sees it, without padding."""
    before: tuple[int, int]
    """Rows of padding above it, columns to the left."""
    padded: tuple[int, int]
    """(h, w) with the padding on all sides."""

    @classmethod
    def to_multiples(cls, working: tuple[int, int], multiple: int) -> Padding:
        """Pad to multiples as :func:`distill.models.output.pad_to_multiple` does."""
        extra = (-working[0] % multiple, -working[1] % multiple)
        padded = (working[0] + extra[0], working[1] + extra[1])
        return cls(working, (extra[0] // 2, extra[1] // 2), padded)

    @property
    def after(self) -> tuple[int, int]:
        """Rows of padding below the image, columns to the right."""
        (rows, columns), (above, left) = self.padded, self.before
        return rows - above - self.working[0], columns - left - self.working[1]

    def upsampling(self, logits: Sequence[int], image: tuple[int, int]) -> Upsampling:
        """Return the resizing from the network's logits to the camera's image.

        One matrix per axis does three steps: upsampling to the padded size, cropping, resizing to the image.

        :param logits: (h, w) of the logits.
        :param image: (H, W) of the camera's image.
        """
        matrices = [
            upsampling(logits[axis], self.padded[axis], self.before[axis], self.working[axis], image[axis])
            for axis in (0, 1)
        ]
        return Upsampling(*matrices)


@dataclass(frozen=True)
class Upsampling:
    """The resizing of logits [h, w] to the image's size [H, W]: ``rows`` · logits · ``columns``ᵀ."""

    rows: Matrix
    """Matrix [H, h] that resizes columns of logits."""
    columns: Matrix
    """Matrix [W, w] that resizes rows of logits."""
