"""Projectors: bring a student's features to the width and size of the teacher's before they are compared.

One projector is a 1×1 convolution with bias, k of them are averaged (with g_j the j-th)::

    1/k · Σ_j g_j(F),     g_j(F) = W_j·F + b_j,  or with ``relu``  max(0, W_j·F + b_j)

k = 1 without ``relu`` is the plain adapter of FitNets (Romero et al., ICLR 2015). Several projectors with
the ReLU, k = 3, are those of Chen et al., "Improved feature distillation via projector ensemble", NeurIPS
2022 (no BatchNorm; loss 1 − cos, see :func:`distill.losses.pad.pad_loss`, twice that): they start from
different random weights. The mean of linear projectors is itself linear, so that without the ReLU k > 1
changes only how it learns; with the ReLU no negative value of a teacher can be reached, so that it suits
features that come out of a ReLU.

The projector of logits is a 1×1 convolution from C classes to C, C·(C + 1) parameters, between the student's
logits and the KL loss: the student need not give the teacher's probabilities itself, only what a linear map
makes them of. It starts as the identity, so that the loss starts as the plain one.

Shapes: [B, student, h, w] → [B, teacher, h, w]; :mod:`distill.training.adapters` lays that on the
teacher's grid.
Parameters: k·(student + 1)·teacher. They belong in the student's optimiser and not in the exported
network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Projector(nn.Module):
    """Mean of ``count`` 1×1 convolutions from ``student`` to ``teacher`` channels."""

    def __init__(self, student: int, teacher: int, count: int = 1, relu: bool = False) -> None:
        super().__init__()
        if count < 1:
            raise ValueError(f"count must be 1 or more, not {count}")
        self.relu = relu
        self.projections = nn.ModuleList(nn.Conv2d(student, teacher, 1) for _ in range(count))

    def forward(self, features: Tensor) -> Tensor:
        """Project [B, student, h, w] to [B, teacher, h, w]."""
        projected = [projection(features) for projection in self.projections]
        if self.relu:
            projected = [F.relu(values) for values in projected]
        return torch.stack(projected).mean(dim=0) if len(projected) > 1 else projected[0]


def logit_projector(num_classes: int) -> nn.Conv2d:
    """Return a projector of logits [B, num_classes, H, W] that is the identity."""
    projector = nn.Conv2d(num_classes, num_classes, 1)
    nn.init.dirac_(projector.weight)
    assert projector.bias is not None
    nn.init.zeros_(projector.bias)
    return projector
