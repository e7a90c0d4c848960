"""Cells of probability: the finest intervals from which several binnings can be summed afterwards.

Edges are float32, ascending, from 0 to 1; with K of them, cell k holds edge_k ≤ p < edge_{k+1}, and the
last cell exactly 1. That is torchmetrics' convention (``bucketize(…, right=True)``), and so are the edges:
those of n equal bins are ``torch.linspace(0, 1, n + 1)``, which differ from k/n in the last bit for some k.
A probability may lie exactly on one of them, and then only the same edges give the same value.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def equal_edges(bins: int) -> NDArray[np.float32]:
    """Return the edges of equal bins between 0 and 1, float32 [bins + 1].

    :raises ValueError: if there is no bin.
    """
    if bins < 1:
        raise ValueError(f"bins must be at least 1, not {bins}")
    step = np.float32(1) / np.float32(bins)
    # As torch.linspace: from both ends, each edge rounded once.
    numbers = np.arange(bins + 1)
    lower, upper = np.float64(step) * numbers, 1 - np.float64(step) * (bins - numbers)
    return np.where(numbers < (bins + 1) // 2, lower, upper).astype(np.float32)


def union(edges: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the edges of the coarsest cells from which all these binnings can be summed."""
    return np.unique(np.concatenate(list(edges)))


def coarsen(table: NDArray[Any], edges: NDArray[np.float32], coarser: NDArray[np.float32]) -> NDArray[Any]:
    """Sum the cells [..., K] into those of fewer edges [..., len(coarser)].

    :raises ValueError: if an edge of ``coarser`` is none of ``edges``.
    """
    if not np.isin(coarser, edges).all():
        raise ValueError(f"{len(coarser) - 1} bins were not asked for when counting began")
    result: NDArray[Any] = np.add.reduceat(table, np.searchsorted(edges, coarser), axis=-1)
    return result
