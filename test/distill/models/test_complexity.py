from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from torch import nn

import distill.models.complexity
from distill.models.complexity import complexity
from distill.models.network import Maps, SegmentationNetwork


class OneConvolution(SegmentationNetwork):
    padding_multiple = 8
    strides: ClassVar[dict[str, int]] = {}
    training_only = ("head",)

    def __init__(self, *_: object) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3, padding=1)
        self.head = nn.Linear(2, 2)

    def maps(self, image: torch.Tensor) -> Maps:
        logits = self.conv(image)
        return Maps(logits, logits, {})


def test_operations_of_a_convolution_are_counted_on_the_padded_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distill.models.complexity, "build", OneConvolution)
    counted = complexity("pidnet_s", size=(15, 20))
    assert counted.gflops * 1e9 == 2 * 5 * 16 * 24 * 3 * 9
    assert (counted.deployed_parameters, counted.training_only_parameters) == (5 * 3 * 9 + 5, 6)
