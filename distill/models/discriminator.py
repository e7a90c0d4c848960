"""A small fully convolutional network that scores how teacher-like a segmentation of an image looks.

Class probabilities and the image they belong to are stacked; four 4×4 convolutions of stride 2 with
spectral norm and leaky ReLU (slope 0.1), each doubling the width, and a last 3×3 convolution give one score
for every 16×16 pixels. It is used by :mod:`distill.losses.adversarial`.

Source: Liu et al., *Structured Knowledge Distillation for Semantic Segmentation*, CVPR 2019, whose
discriminator is that of Zhang et al., *Self-Attention Generative Adversarial Networks*, ICML 2019. Left out
here: its two self-attention modules, and the BatchNorm on its input in the authors' code. Their last
convolution is 4×4 without padding and so needs 64 pixels, this one 16.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, cat, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

STRIDE = 16
"""Pixels per score and side."""
SLOPE = 0.1
"""Slope of the leaky ReLU below 0."""


class Discriminator(nn.Module):
    """Probabilities [B, num_classes, h, w] and image [B, 3, H, W] → scores [B, 1, h/16, w/16], rounded down.

    An image of another size is resized (bilinear, antialiased) to theirs. The authors score maps of
    stride 8; larger ones cost more and show it more detail.
    """

    def __init__(self, num_classes: int, width: int = 64) -> None:
        super().__init__()
        channels = (num_classes + 3, width, 2 * width, 4 * width, 8 * width)
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(before, after, 4, stride=2, padding=1))
            for before, after in pairwise(channels)
        )
        self.score = nn.Conv2d(channels[-1], 1, 3, padding=1)

    def forward(self, probabilities: Tensor, image: Tensor) -> Tensor:
        """Score segmentations; higher is more teacher-like.

        :raises ValueError: for another batch size or a side below 16, naming both shapes.
        """
        size = probabilities.shape[2:]
        if probabilities.shape[0] != image.shape[0] or min(size) < STRIDE:
            raise ValueError(
                f"probabilities {tuple(probabilities.shape)} and image {tuple(image.shape)} must be "
                f"[B, K, h, w] and [B, 3, H, W] with one B, h and w of {STRIDE} or more"
            )
        if image.shape[2:] != size:
            image = F.interpolate(image, size, mode="bilinear", align_corners=False, antialias=True)
        x = cat([probabilities, image], dim=1)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE)
        return self.score(x)
