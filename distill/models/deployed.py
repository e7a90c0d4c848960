"""The network as the vehicle runs it: one uint8 image in, class map and calibrated confidence out.

Evaluation, calibration and export all go through this module, so that what is measured is what drives.

Confidence is the largest softmax probability at temperature T (Guo et al., *On Calibration of Modern
Neural Networks*, ICML 2017), with logits z at full size::

    p_max = 1 / Σ_c exp((z_c − max z) / T)
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from distill.models.output import upsample


class DeployedModel(nn.Module):
    """Pre-processing, network and post-processing in one module.

    :param network: takes [1, 3, h, w] normalised images and returns an
        :class:`~distill.models.output.Output`.
    :param mean: RGB, 0…1, as is ``std``.
    :param working_scale: the network sees the image resized by this factor.
    :param temperature: T above; it changes the confidence, never the mask.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        mean: Sequence[float],
        std: Sequence[float],
        working_scale: float,
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        self.network = network
        self.working_scale = working_scale
        self.temperature = temperature
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def logits(self, image: Tensor) -> Tensor:
        """Return FP32 logits [1, C, H, W] for a uint8 RGB image [H, W, 3]."""
        height, width = int(image.shape[0]), int(image.shape[1])
        x = image.permute(2, 0, 1).unsqueeze(0).float()
        x = (x / 255 - self.mean) / self.std
        if self.working_scale != 1:
            x = upsample(x, (round(height * self.working_scale), round(width * self.working_scale)))
        logits = self.network(x.to(self._dtype())).logits.float()
        return upsample(logits, (height, width)) if self.working_scale != 1 else logits

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return mask uint8 [H, W], confidence uint8 [H, W] = round(255·p_max), p_max float32 [H, W]."""
        logits = self.logits(image)[0]
        top, mask = logits.max(dim=0)
        probability = 1 / torch.exp((logits - top) / self.temperature).sum(dim=0)
        confidence = torch.round(255 * probability)
        return mask.to(torch.uint8), confidence.to(torch.uint8), probability

    def _dtype(self) -> torch.dtype:
        return next(self.network.parameters()).dtype
