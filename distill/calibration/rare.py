"""Which classes have too few pixels to find separate parameters for them."""

from __future__ import annotations

from typing import Final

from torch import Tensor

FEWEST: Final = 1000
"""Pixels that a class needs. Neighbours agree, so that they are worth far fewer independent observations."""


def is_rare(train_ids: Tensor, classes: int) -> list[bool]:
    """Tell for each class, in order, whether fewer than :data:`FEWEST` pixels belong to it.

    :param train_ids: int64 [N], the pixels' classes, 0…classes−1.
    """
    return [int(count) < FEWEST for count in train_ids.bincount(minlength=classes)]
