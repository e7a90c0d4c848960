"""A timm backbone that is shared between the levels of an image pyramid.

The convolutions are shared; every BatchNorm is kept per level, with its own statistics and affine
parameters, because the statistics of a half-size image differ from those of the full one.
"""

from __future__ import annotations

import copy

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from distill.models.timm_backbone import create_backbone
from distill.models.weights import RANDOM, Pretrained

LEVELS = 3
"""Number of sizes at which the backbone sees the image: 1, ½ and ¼."""


class PerLevelNorm(nn.Module):
    """One copy of a BatchNorm per pyramid level; :attr:`level` says which one normalises."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norms = nn.ModuleList(copy.deepcopy(norm) for _ in range(LEVELS))
        self.level = 0

    def forward(self, x: Tensor) -> Tensor:
        """Normalise [B, C, h, w] with the current level's BatchNorm."""
        return self.norms[self.level](x)


def replace_batch_norms(module: nn.Module) -> None:
    """Replace every BatchNorm below ``module`` by one copy per level, starting from its weights."""
    for name, child in module.named_children():
        if isinstance(child, _BatchNorm):
            setattr(module, name, PerLevelNorm(child))
        else:
            replace_batch_norms(child)


class PyramidBackbone(nn.Module):
    """Stage outputs at strides 4, 8, 16 and 32 of any timm ``features_only`` model, per pyramid level.

    :param name: timm's model name.
    :raises UserError: see :func:`~distill.models.timm_backbone.create_backbone`.
    """

    def __init__(self, name: str, pretrained: Pretrained = RANDOM) -> None:
        super().__init__()
        self.network, self.channels = create_backbone(name, pretrained)
        # After the weights are loaded: every level starts from the pretrained statistics.
        replace_batch_norms(self.network)
        self._norms = [m for m in self.network.modules() if isinstance(m, PerLevelNorm)]

    def forward(self, image: Tensor, level: int) -> list[Tensor]:
        """Return the four stage outputs of ``image``, seen as pyramid level ``level`` (0 = full size)."""
        for norm in self._norms:
            norm.level = level
        return self.network(image)
