"""A temperature that learns to make distillation harder, more strongly as training proceeds (CTKD).

Thesis ch. 2.4, after Li et al., "Curriculum temperature for knowledge distillation", AAAI 2023, in its
global form: one number θ for all pixels::

    T = 1 + 20·sigmoid(θ),     1 ≤ T ≤ 21,     θ = 1 at the start: T = 15.6

The student lowers the KL loss; θ raises it, its gradient being multiplied by −λ. Over the first part of
training, ``ramp``, λ rises from 0 to 1 along a cosine and stays there::

    λ(u) = ½·(1 − cos(π·min(u / ramp, 1))),     u the share of training done, 0…1

ramp = 10/240 is that of the authors' CIFAR-100 runs: 10 of 240 epochs. The temperature is a scalar tensor
and goes as such into :func:`distill.losses.kl.kl_loss` or :func:`distill.losses.kl_border.kl_border_loss`,
whose T² is part of what θ raises, as in the authors' code. θ needs no weight decay, which would pull T to
11.
"""

import math

import torch
from torch import Tensor, nn

LOWEST = 1.0
SPAN = 20.0


class CurriculumTemperature(nn.Module):
    """A learnt temperature between 1 and 21; its θ belongs in the student's optimiser."""

    def __init__(self, ramp: float = 10 / 240) -> None:
        super().__init__()
        if not 0 < ramp <= 1:
            raise ValueError(f"ramp is a share of training, above 0 and up to 1, not {ramp}")
        self.ramp = ramp
        self.theta = nn.Parameter(torch.ones(()))

    def forward(self, progress: float) -> Tensor:
        """Return the temperature, a scalar, whose gradient in θ is reversed and scaled by λ(progress)."""
        strength = self.reversal(progress)
        # θ in value, −λ·θ in gradient.
        reversed_theta = self.theta.detach() - strength * (self.theta - self.theta.detach())
        return LOWEST + SPAN * torch.sigmoid(reversed_theta)

    def reversal(self, progress: float) -> float:
        """Return λ, 0…1, after the share ``progress`` of training, 0…1."""
        if not 0 <= progress <= 1:
            raise ValueError(f"progress is the share of training done, 0 to 1, not {progress}")
        return (1 - math.cos(math.pi * min(progress / self.ramp, 1))) / 2
