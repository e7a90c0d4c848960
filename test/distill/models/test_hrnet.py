from __future__ import annotations

import copy
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from distill.models.hrnet import HrNetV2


def bilinear_fusion(module: nn.Module, maps: list[torch.Tensor]) -> list[torch.Tensor]:
    """What the authors' network for segmentation makes of a timm module of parallel branches.

    Each branch's own blocks, then for every resolution the ReLU of the sum of all branches brought to it:
    finer ones by strided convolutions, coarser ones by a convolution, a BatchNorm and bilinear resizing.
    """
    branches = [branch(x) for branch, x in zip(module.branches, maps, strict=True)]  # type: ignore[arg-type]
    fused = []
    for own, layers in enumerate(module.fuse_layers):  # type: ignore[arg-type]
        total = torch.zeros(())
        for other, (layer, branch) in enumerate(zip(layers, branches, strict=True)):
            if other <= own:
                brought = layer(branch)
            else:
                size = branches[own].shape[-2:]
                brought = F.interpolate(layer[1](layer[0](branch)), size=size, mode="bilinear")
            total = total + brought
        fused.append(torch.relu(total))
    return fused


def test_branches_are_fused_bilinearly() -> None:
    """The argmax, and all values, equal those of a reference that resizes as the authors' network does."""
    torch.manual_seed(0)
    network = HrNetV2("hrnet_w18_small", 5).eval()
    image = torch.randn(1, 3, 64, 96)
    modules: list[Any] = [m for m in network.backbone.modules() if hasattr(m, "fuse_layers")]
    fusing = [module for module in modules if module.num_branches > 1]
    expected = copy.deepcopy(network)
    with torch.no_grad():
        ours = network(image).logits
        for module in (m for m in expected.backbone.modules() if hasattr(m, "fuse_layers")):
            module.forward = partial(bilinear_fusion, module)
        reference = expected(image).logits
        for upsample in (m for m in network.backbone.modules() if isinstance(m, nn.Upsample)):
            upsample.mode, upsample.align_corners = "nearest", None
        nearest = network(image).logits
    assert len(fusing) == 3
    assert torch.equal(ours.argmax(1), reference.argmax(1))
    torch.testing.assert_close(ours, reference)
    assert not torch.allclose(nearest, reference, rtol=1e-3)


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
