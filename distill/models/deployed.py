"""The network as the vehicle runs it: one uint8 image in, class map and calibrated confidence out.

Evaluation and calibration go through this module, and every exported file, whose nodes are arranged for speed
(:mod:`distill.export.postprocess`), is checked against it: what is measured is what the vehicle runs.

With z the logits at full size, calibrated as :mod:`distill.models.logit_calibration` says, and s their
*scores*, the confidence is the largest softmax probability::

    s_c = (z_c − max z) / T        p_max = 1 / Σ_c exp(s_c)

where T is that of all pixels or of the predicted class, and 1 after vector scaling.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from distill.models.logit_calibration import NONE, LogitCalibration
from distill.models.output import upsample

Model = TypeVar("Model", bound="DeployedModel")


class DeployedModel(nn.Module):
    """Pre-processing, network and post-processing in one module.

    :param network: takes [1, 3, h, w] normalised images and returns an
        :class:`~distill.models.output.Output`.
    :param mean: RGB, 0…1, as is ``std``.
    :param working_scale: the network sees the image resized by this factor.
    :param calibration: how the logits become probabilities.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        mean: Sequence[float],
        std: Sequence[float],
        working_scale: float,
        calibration: LogitCalibration = NONE,
    ) -> None:
        super().__init__()
        self.network = network
        self.working_scale = working_scale
        self.calibration = calibration
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def calibrated(self: Model, calibration: LogitCalibration) -> Model:
        """Return this model with another calibration; both share one network."""
        other = copy.copy(self)
        other.calibration = calibration
        return other

    def working_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the (h, w) at which the network sees an image of ``size`` = (H, W)."""
        return round(size[0] * self.working_scale), round(size[1] * self.working_scale)

    def logits(self, image: Tensor) -> Tensor:
        """Return uncalibrated FP32 logits [1, C, H, W] for a uint8 RGB image [H, W, 3]."""
        height, width = int(image.shape[0]), int(image.shape[1])
        x = image.permute(2, 0, 1).unsqueeze(0).float()
        x = (x / 255 - self.mean) / self.std
        if self.working_scale != 1:
            x = upsample(x, self.working_size((height, width)))
        logits = self.network(x.to(self._dtype())).logits.float()
        return upsample(logits, (height, width)) if self.working_scale != 1 else logits

    def scores(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return s, float32 [C, H, W], and the predicted class, int64 [H, W]: there s is 0, the largest."""
        logits = self.calibration.affine(self.logits(image)[0])
        top, mask = logits.max(dim=0)
        return self.calibration.tempered(logits - top, mask), mask

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return mask uint8 [H, W], confidence uint8 [H, W] = round(255·p_max), p_max float32 [H, W]."""
        return outputs_of(*self.scores(image))

    def _dtype(self) -> torch.dtype:
        return next(self.network.parameters()).dtype


def outputs_of(scores: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Turn :meth:`DeployedModel.scores` into what :meth:`DeployedModel.forward` returns."""
    probability = 1 / torch.exp(scores).sum(dim=0)
    return mask.to(torch.uint8), torch.round(255 * probability).to(torch.uint8), probability
