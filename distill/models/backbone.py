"""A timm backbone that is shared between the levels of an image pyramid.

The convolutions are shared; every BatchNorm is kept per level, with its own statistics and affine
parameters, because the statistics of a half-size image differ from those of the full one.
"""

from __future__ import annotations

import copy
from pathlib import Path

import timm
from timm.models import FeatureInfo
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from distill.models.weights import load_weights
from kd_seg_ros.errors import UserError

LEVELS = 3
STAGE_STRIDES = (4, 8, 16, 32)


class PerLevelNorm(nn.Module):
    """One copy of a BatchNorm per pyramid level; :attr:`level` says which one is at work."""

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


def _feature_info(network: nn.Module) -> FeatureInfo:
    info = network.feature_info
    assert isinstance(info, FeatureInfo)
    return info


class PyramidBackbone(nn.Module):
    """Stage outputs at strides 4, 8, 16 and 32 of any timm ``features_only`` model.

    :param name: timm's model name.
    :param pretrained: ``True`` fetches timm's weights from its hub, a string names a local
        ``.safetensors`` or ``.pth`` file, ``False`` starts from random weights.
    :raises UserError: for a name that timm does not know, or a model without those four stages.
    """

    def __init__(self, name: str, pretrained: bool | str = False) -> None:
        super().__init__()
        if name not in timm.list_models():
            close = ", ".join(timm.list_models(f"*{name.split('_')[0]}*")[:5])
            raise UserError(
                f"backbone {name!r} is not a timm model" + (f"; near it: {close}" if close else "")
            )
        reductions = _feature_info(timm.create_model(name, features_only=True)).reduction()
        if not set(STAGE_STRIDES) <= set(reductions):
            raise UserError(
                f"backbone {name!r} has stages at strides {reductions}; needed are {STAGE_STRIDES}"
            )
        indices = tuple(reductions.index(stride) for stride in STAGE_STRIDES)
        self.network = timm.create_model(name, features_only=True, out_indices=indices)
        self.channels: list[int] = _feature_info(self.network).channels()
        if pretrained:
            load_weights(self.network, name, None if pretrained is True else Path(str(pretrained)))
        replace_batch_norms(self.network)
        self._norms = [m for m in self.network.modules() if isinstance(m, PerLevelNorm)]

    def forward(self, image: Tensor, level: int) -> list[Tensor]:
        """Return the four stage outputs of ``image``, seen as pyramid level ``level`` (0 = full size)."""
        for norm in self._norms:
            norm.level = level
        return self.network(image)
