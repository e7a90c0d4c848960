from __future__ import annotations

import torch
from torch import nn

from distill.benchmarks.random_network import settle


def test_settled_norms_make_unit_maps() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8, momentum=0.01))
    images = 100 * torch.randn(4, 3, 16, 16) + 30
    settle(network, images)
    assert not network.training
    with torch.no_grad():
        maps = network(images)
    torch.testing.assert_close(maps.mean(dim=(0, 2, 3)), torch.zeros(8), atol=1e-4, rtol=0)
    torch.testing.assert_close(maps.std(dim=(0, 2, 3)), torch.ones(8), atol=1e-2, rtol=0)
    assert network[1].momentum == 0.01
