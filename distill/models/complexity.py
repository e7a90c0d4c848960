"""How large a network is and how much it computes, without running it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from distill.models.build import build
from distill.models.catalogue import CAMERA_SIZE
from kd_seg_ros.common.classes import NUM_CLASSES


@dataclass(frozen=True)
class Complexity:
    """Size and work of one network."""

    deployed_parameters: int
    """Number of parameters in the exported file."""
    training_only_parameters: int
    """Number of parameters of heads that exist in training only."""
    gflops: float
    """10⁹ floating-point operations for one image with its padding; a multiply-add counts as two.
    Convolutions, matrix products and attention are counted, element-wise work and resampling are not."""


def complexity(name: str, num_classes: int = NUM_CLASSES, size: tuple[int, int] = CAMERA_SIZE) -> Complexity:
    """Count a network of the catalogue.

    Tensors stay on PyTorch's meta device, which knows shapes only, so that nothing is computed.

    :param size: height and width of the image.
    """
    with torch.device("meta"):
        network = build(name, num_classes).eval()
        counter = FlopCounterMode(display=False)
        with torch.no_grad(), counter:
            network(torch.empty(1, 3, *size))
    return Complexity(
        network.deployed_parameters(), network.training_only_parameters(), counter.get_total_flops() / 1e9
    )
