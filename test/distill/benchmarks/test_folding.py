from __future__ import annotations

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from distill.benchmarks.folding import folded
from distill.benchmarks.random_network import settle
from distill.models.backbone import LEVELS
from distill.models.swiftnet import SwiftNet


def test_folding_copies_the_convolutions_and_changes_nothing_else() -> None:
    torch.manual_seed(0)
    network = SwiftNet("resnet10t", 5, channels=8)
    settle(network, torch.randn(2, 3, 128, 128))
    image = torch.randn(1, 3, 128, 256)
    result = folded(network)
    with torch.no_grad():
        torch.testing.assert_close(result(image).logits, network(image).logits, atol=1e-4, rtol=1e-3)
    assert not any(isinstance(m, _BatchNorm) for m in result.backbone.modules())
    weights = sum(m.weight.numel() for m in network.backbone.modules() if isinstance(m, torch.nn.Conv2d))
    copies = sum(m.weight.numel() for m in result.backbone.modules() if isinstance(m, torch.nn.Conv2d))
    assert copies == LEVELS * weights
