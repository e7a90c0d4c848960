"""How large a network is and how much it computes, without running it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from distill.models.build import build
from distill.models.catalogue import Model
from kd_seg_ros.common.classes import NUM_CLASSES

SIZE = (1080, 1920)
"""Height and width of the camera image that operations are counted for."""


@dataclass(frozen=True)
class Complexity:
    """Size and work of one network."""

    parameters: int
    """As published: those the vehicle carries, and with ``counts_all`` the training-only ones too."""
    deployed_parameters: int
    """Those in the exported file."""
    training_only_parameters: int
    """Those of heads that exist in training only."""
    gflops: float
    """Floating-point operations for one image, in 10⁹; a multiply-add counts as two. Convolutions, matrix
    products and attention are counted, element-wise work and resampling are not."""


def complexity(model: Model, num_classes: int = NUM_CLASSES, size: tuple[int, int] = SIZE) -> Complexity:
    """Count for a network of the catalogue; tensors stay on the meta device, so that nothing is computed."""
    with torch.device("meta"):
        network = build(model.name, num_classes).eval()
        counter = FlopCounterMode(display=False)
        with torch.no_grad(), counter:
            network(torch.empty(1, 3, *size))
    deployed, extra = network.deployed_parameters(), network.training_only_parameters()
    return Complexity(
        parameters=deployed + extra if model.counts_all else deployed,
        deployed_parameters=deployed,
        training_only_parameters=extra,
        gflops=counter.get_total_flops() / 1e9,
    )
