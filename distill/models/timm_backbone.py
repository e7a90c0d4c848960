"""The feature maps of a timm model at strides 4, 8, 16 and 32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import FeatureInfo
from torch import Tensor, nn

from distill.models.state_dict import without_prefix
from distill.models.weights import RANDOM, Pretrained, hub_state_dict, load_tensors, read_state_dict
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.suggest import did_you_mean

STAGE_STRIDES = (4, 8, 16, 32)
"""Strides of the four stage outputs that every backbone must have, in pixels of the image."""


def create_backbone(
    name: str, pretrained: Pretrained = RANDOM, options: dict[str, Any] | None = None
) -> tuple[nn.Module, list[int]]:
    """Make timm's ``features_only`` network ``name`` with the stage outputs at strides 4, 8, 16 and 32.

    :param options: more arguments of timm's ``create_model``.
    :returns: the network, which maps [B, 3, H, W] to a list of four maps, and their channels.
    :raises UserError: for a name timm does not know, a model without stages at strides 4, 8, 16 and
        32, or weights that do not fit.
    """
    options = options or {}
    _check_name(name)
    with torch.device("meta"):  # only to ask which stages there are
        probe = timm.create_model(name, features_only=True, **options)
    reductions = _feature_info(probe).reduction()
    if not set(STAGE_STRIDES) <= set(reductions):
        raise UserError(
            f"backbone {name!r} is refused: its stages are at strides {', '.join(map(str, reductions))}, "
            f"and strides {', '.join(map(str, STAGE_STRIDES))} are needed"
        )
    # Where a stride occurs twice (a stem that does not shrink, say), the last stage of it knows most.
    indices = tuple(len(reductions) - 1 - reductions[::-1].index(stride) for stride in STAGE_STRIDES)
    network = timm.create_model(name, features_only=True, out_indices=indices, **options)
    if pretrained.source:
        _load(network, name, pretrained, options)
    return network, list(_feature_info(network).channels())


def _check_name(name: str) -> None:
    known = timm.list_models()
    if name.partition(".")[0] not in known:
        raise UserError(f"backbone {name!r} is not a timm model{did_you_mean(name, known, 4)}")


def _load(network: nn.Module, name: str, pretrained: Pretrained, options: dict[str, Any]) -> None:
    if pretrained.source is True:
        state = hub_state_dict(name)
    else:
        state = read_state_dict(Path(str(pretrained.source)))
        if not any(name.startswith("model.") for name in network.state_dict()):
            state = without_prefix(state, "model.")
    with torch.device("meta"):
        classifier = timm.create_model(name, **{k: v for k, v in options.items() if k != "feature_location"})
    wanted = network.state_dict()
    load_tensors(
        network,
        {_feature_name(key, wanted): value for key, value in state.items()},
        repr(name),
        pretrained.strict,
        optional={_feature_name(key, wanted) for key in classifier.state_dict()},
    )


def _feature_name(key: str, wanted: dict[str, Tensor]) -> str:
    """Name a classifier's tensor as timm's features_only wrapper does (``stages.0`` → ``stages_0``)."""
    head, _, rest = key.partition(".")
    index, _, tail = rest.partition(".")
    flattened = f"{head}_{index}.{tail}"
    return flattened if flattened in wanted else key


def _feature_info(network: nn.Module) -> FeatureInfo:
    info = network.feature_info
    assert isinstance(info, FeatureInfo)
    return info
