"""Untrained networks whose maps have the size of trained ones', for timings and for checks of an export.

Freshly made, a deep network's maps grow or vanish from layer to layer, because its BatchNorms have seen
nothing.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from distill.models.build import build
from distill.models.network import SegmentationNetwork
from kd_seg_ros.common.classes import NUM_CLASSES


def random_network(name: str, num_classes: int = NUM_CLASSES, seed: int = 0) -> SegmentationNetwork:
    """Make a network of the catalogue, with random weights and settled BatchNorms, in evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(name, num_classes)
        settle(network, torch.randn(2, 3, 128, 192, generator=generator))
    return network


def settle(network: nn.Module, images: torch.Tensor) -> None:
    """Give every BatchNorm the statistics of ``images``; leaves the network in evaluation mode."""
    norms = [m for m in network.modules() if isinstance(m, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain average of what it sees
    network.train()
    with torch.no_grad():
        network(images)
    network.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
