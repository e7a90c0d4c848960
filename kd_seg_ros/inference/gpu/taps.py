"""Bilinear resizing of one axis as a table: which samples each sample of the result reads, and how much.

Sample i of a resizing from n to N samples with half-pixel centres reads the source at x_i::

    x_i = (i + ½) · n / N − ½, clipped to 0 … n − 1        weight of source sample k: max(0, 1 − |x_i − k|)

Resizings that follow each other are one table, exactly. The model file's nodes compute the same: there the
tables are matrices (:mod:`distill.export.interpolation`), of which nearly all entries are 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Taps:
    """Sample i of the result is the sum over t of ``weights[i, t]`` · source[``first[i]`` + t]."""

    first: NDArray[np.int32]
    """[N]; ``first`` + the number of taps is at most the number of source samples."""
    weights: NDArray[np.float64]
    """[N, taps]."""

    @property
    def count(self) -> int:
        """How many neighbouring source samples each sample of the result reads."""
        return self.weights.shape[1]


def bilinear_taps(source: int, target: int) -> Taps:
    """Return the table of one resizing; a single tap where nothing is resized."""
    if source == target:
        return Taps(np.arange(target, dtype=np.int32), np.ones((target, 1)))
    x = np.clip((np.arange(target) + 0.5) * source / target - 0.5, 0, source - 1)
    lower = np.minimum(np.floor(x), max(source - 2, 0))
    weights = np.stack([1 - (x - lower), x - lower], axis=1)[:, :source]
    return Taps(lower.astype(np.int32), weights)


def upsampling_taps(logits: int, padded: int, before: int, working: int, image: int) -> Taps:
    """Return the table from a network's logits to the camera's image, along one axis.

    :param logits: samples of the network's logits.
    :param padded: samples of what the network sees.
    :param before: of these, samples of padding before the image.
    :param working: samples of the image as the network sees it, between its paddings.
    :param image: samples of the camera's image.
    """
    inner = bilinear_taps(logits, padded)
    kept = slice(before, before + working)
    return _product(bilinear_taps(working, image), Taps(inner.first[kept], inner.weights[kept]), logits)


def _product(outer: Taps, inner: Taps, source: int) -> Taps:
    """Return the table of two resizings, ``inner`` first; ``source``: samples before both."""
    # Every product of an outer weight and an inner one, and the source sample that it belongs to.
    seen = outer.first[:, None] + np.arange(outer.count)
    places = inner.first[seen][:, :, None] + np.arange(inner.count)
    weights = outer.weights[:, :, None] * inner.weights[seen]
    places, weights = places.reshape(len(seen), -1), weights.reshape(len(seen), -1)

    # The window that holds all of a row's samples, moved to the left where it would reach beyond the source.
    lowest = places.min(axis=1)
    count = int((places.max(axis=1) - lowest).max()) + 1
    first = np.minimum(lowest, source - count)
    table = np.zeros((len(first), count))
    rows = np.broadcast_to(np.arange(len(first))[:, None], places.shape)
    np.add.at(table, (rows, places - first[:, None]), weights)
    return Taps(first.astype(np.int32), table)
