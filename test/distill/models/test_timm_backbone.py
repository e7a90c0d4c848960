from __future__ import annotations

import pytest
import torch

from distill.models.timm_backbone import STAGE_STRIDES, create_backbone
from kd_seg_ros.common.errors import UserError


@pytest.mark.parametrize("name", ["resnet10t", "convnext_atto", "hrnet_w18_small", "tf_efficientnet_lite0"])
def test_stage_outputs_have_the_four_strides(name: str) -> None:
    network, channels = create_backbone(name)
    with torch.no_grad():
        maps = network.eval()(torch.zeros(1, 3, 64, 96))
    assert [tuple(m.shape[2:]) for m in maps] == [(64 // s, 96 // s) for s in STAGE_STRIDES]
    assert [m.shape[1] for m in maps] == channels


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(UserError, match=r"'resnet81' is not a timm model; did you mean .*resnet18"):
        create_backbone("resnet81")


def test_a_backbone_without_the_four_strides_is_refused_for_that() -> None:
    with pytest.raises(UserError, match=r"at strides 16, 16, 16, and strides 4, 8, 16, 32 are needed"):
        create_backbone("mixer_s16_224")
