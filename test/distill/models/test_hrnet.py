from __future__ import annotations

import torch
from torch.nn import functional as F

from distill.models.hrnet import HrNetV2


def test_head_reads_all_branches_at_stride_4() -> None:
    torch.manual_seed(0)
    network = HrNetV2("hrnet_w18_small", 5).eval()
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        branches = network.backbone(image)
        stacked = torch.cat(
            [F.interpolate(b, size=(16, 24), mode="bilinear", align_corners=False) for b in branches], dim=1
        )
        expected = F.conv2d(network.mix(stacked), network.classifier.weight, network.classifier.bias)
        maps = network.maps(image)
    torch.testing.assert_close(maps.logits, expected)
    assert list(maps.features) == ["S4", "S8", "S16", "S32"]
    assert all(torch.equal(f, b) for f, b in zip(maps.features.values(), branches, strict=True))
