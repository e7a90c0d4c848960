"""A network with numbers that half precision cannot hold, and an image for it."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from distill.models.network import Maps, SegmentationNetwork
from kd_seg_ros.common.classes import NUM_CLASSES


class Stretched(SegmentationNetwork):
    """Four convolutions; ``large`` makes its numbers larger by a factor that ``small`` takes back.

    :param factor: from about 1e5 on, half precision overflows.
    """

    padding_multiple = 32
    strides = MappingProxyType({"logits": 4})

    def __init__(self, factor: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 16, 4, stride=4)
        self.large = nn.Conv2d(16, 16, 1)
        self.small = nn.Conv2d(16, 16, 1)
        self.last = nn.Conv2d(16, NUM_CLASSES, 3, padding=1)
        with torch.no_grad():
            self.large.weight.mul_(factor)
            self.small.weight.div_(factor)

    def maps(self, image: Tensor) -> Maps:
        """Return logits at stride 4."""
        logits = 20 * self.last(self.small(torch.relu(self.large(self.first(image)))))
        return Maps(logits, logits, {})


def patches() -> NDArray[np.uint8]:
    """Return an image [64, 96, 3] of random patches of 8×8 pixels."""
    coarse = np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((8, 8, 1), np.uint8))
