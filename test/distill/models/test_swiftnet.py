from __future__ import annotations

import pytest
import torch
from torch import nn

from distill.models.backbone import LEVELS, PerLevelNorm, PyramidBackbone
from distill.models.swiftnet import SwiftNet
from kd_seg_ros.common.classes import NUM_CLASSES

SMALL = "mobilenetv4_conv_small_050"


@pytest.fixture(scope="module")
def small() -> SwiftNet:
    torch.manual_seed(0)
    return SwiftNet(SMALL, NUM_CLASSES, channels=16).eval()


@pytest.mark.parametrize("size", [(97, 131), (128, 128), (200, 300)])
def test_any_size_gives_logits_of_that_size(small: SwiftNet, size: tuple[int, int]) -> None:
    output = small(torch.randn(1, 3, *size))
    assert output.logits.shape == (1, NUM_CLASSES, *size)
    padded = [-(-side // 128) * 128 for side in size]
    for name, feature in output.features.items():
        stride = int(name.removeprefix("P"))
        assert feature.shape == (1, 16, padded[0] // stride, padded[1] // stride)
    assert list(output.features) == ["P4", "P8", "P16", "P32", "P64", "P128"]
    assert output.pre_logits.shape == output.features["P4"].shape


def test_odd_sizes_agree_between_families() -> None:
    """At 864² ResNet and ConvNeXt would disagree on P64 and P128 without the padding (here at 216² + …)."""
    networks = [SwiftNet(name, NUM_CLASSES, channels=8).eval() for name in ("resnet10t", "convnext_atto")]
    image = torch.randn(1, 3, 216, 216)
    shapes = []
    for network in networks:
        with torch.no_grad():
            features = network(image).features
        shapes.append({name: values.shape for name, values in features.items()})
    assert shapes[0] == shapes[1]


def test_maps_sum_levels_and_stages_of_equal_stride(small: SwiftNet) -> None:
    """P16 = l1s3 + l2s2 + l3s1 and P128 = l3s4, computed here from the parts."""
    image = torch.randn(1, 3, 128, 256)
    with torch.no_grad():
        features = small(image).features
        half = nn.functional.interpolate(image, scale_factor=0.5, mode="bilinear", align_corners=False)
        quarter = nn.functional.interpolate(half, scale_factor=0.5, mode="bilinear", align_corners=False)
        stages = [small.backbone(x, level) for level, x in enumerate((image, half, quarter))]
        project = small.projections
        p16 = project[0][2](stages[0][2]) + project[1][1](stages[1][1]) + project[2][0](stages[2][0])  # type: ignore[index]
        p128 = project[2][3](stages[2][3])  # type: ignore[index]
    torch.testing.assert_close(features["P16"], p16)
    torch.testing.assert_close(features["P128"], p128)


def test_padding_is_symmetric_and_cropped_off(small: SwiftNet) -> None:
    image = torch.randn(1, 3, 100, 200)
    padded = nn.functional.pad(image, (28, 28, 14, 14))
    with torch.no_grad():
        torch.testing.assert_close(small(image).logits, small(padded).logits[..., 14:114, 28:228])


def test_batch_norms_are_per_level_and_convolutions_shared() -> None:
    backbone = PyramidBackbone("resnet10t")
    norms = [m for m in backbone.modules() if isinstance(m, PerLevelNorm)]
    assert len(norms) == sum(isinstance(m, nn.BatchNorm2d) for m in backbone.modules()) / LEVELS
    backbone.train()
    for level in range(LEVELS):
        backbone(torch.randn(2, 3, 64, 64) * (level + 1) + level, level)
    means = [norms[0].norms[level].running_mean for level in range(LEVELS)]
    assert all(norm.norms[level].num_batches_tracked == 1 for norm in norms for level in range(LEVELS))
    assert not torch.allclose(means[0], means[1])  # type: ignore[arg-type]
    assert norms[0].norms[0].weight is not norms[0].norms[1].weight


def test_every_parameter_learns(small: SwiftNet) -> None:
    network = SwiftNet(SMALL, NUM_CLASSES, channels=16).train()
    network(torch.randn(2, 3, 128, 128)).logits.square().mean().backward()
    without = [name for name, p in network.named_parameters() if p.grad is None]
    assert without == []
