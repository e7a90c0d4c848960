from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from distill.config.networks import NetworkConfig
from distill.models.build import build
from distill.models.fpn_lite import FpnLite

BACKBONE = "test_efficientnet"


def network(classes: int = 5, channels: int = 8) -> FpnLite:
    torch.manual_seed(0)
    return FpnLite(BACKBONE, classes, channels).eval()


def by_hand(model: FpnLite, image: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The network written out step by step, from the backbone's maps to the logits."""
    s4, s8, s16, s32 = model.backbone(image)
    p32 = model.context(s32)
    maps = [p32]
    for step, stage in enumerate((s16, s8, s4)):
        convolution, norm = list(model.projections[2 - step].children())
        joint = norm(convolution(stage))
        joint = joint + F.interpolate(
            maps[-1], scale_factor=2, mode="bilinear", align_corners=False, recompute_scale_factor=False
        )
        depthwise, norm1, pointwise, norm2, _ = list(model.blends[step].children())
        maps.append(torch.relu(norm2(pointwise(norm1(depthwise(joint))))))
    return model.classifier(maps[-1]), maps[::-1]


def test_it_is_what_its_formula_says() -> None:
    model = network()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):  # so that no normalisation is the identity
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
            module.running_mean.normal_()  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    image = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        logits, maps = by_hand(model, image)
        found = model.maps(image)
    torch.testing.assert_close(found.logits, logits)
    assert list(found.features) == ["P4", "P8", "P16", "P32"]
    for ours, expected in zip(found.features.values(), maps, strict=True):
        torch.testing.assert_close(ours, expected)
    assert found.pre_logits is found.features["P4"]


def test_any_backbone_and_width_by_configuration() -> None:
    with pytest.raises(ValueError, match="model 'fpn_lite' needs a backbone"):
        NetworkConfig(model="fpn_lite")
    with pytest.raises(ValueError, match="model 'swiftnet' or 'fpn_lite'"):
        NetworkConfig(model="fpn_lite_nano", backbone=BACKBONE)
    NetworkConfig(model="fpn_lite", backbone=BACKBONE, channels=8)
    model = build("fpn_lite", 5, backbone=BACKBONE, channels=8)
    assert isinstance(model, FpnLite)
    assert model.classifier.in_channels == 8
    assert build("fpn_lite", 5, backbone=BACKBONE).get_submodule("classifier").in_channels == 96


def test_the_family_is_as_small_as_it_says() -> None:
    from distill.models.catalogue import MODELS

    nano, small = MODELS["fpn_lite_nano"], MODELS["fpn_lite_small"]
    assert nano.deployed_parameters <= 2e6
    assert small.deployed_parameters <= 5e6
    assert max(nano.gflops, small.gflops) <= 25
