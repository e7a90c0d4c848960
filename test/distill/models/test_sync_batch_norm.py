"""Converting BatchNorms changes neither names nor values. For two processes see test_processes.py."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from timm.layers import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from distill.models.backbone import PerLevelNorm
from distill.models.build import build
from distill.models.swiftnet import SwiftNet
from distill.models.sync_batch_norm import synchronise_batch_norms
from distill.models.timm_backbone import create_backbone

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "swiftnet": lambda: SwiftNet("mobilenetv4_conv_small_035", 6, channels=8),
    "pidnet_s": lambda: build("pidnet_s", 6),
    "sfnet_resnet18": lambda: build("sfnet_resnet18", 6),
    "tf_efficientnet_lite0": lambda: create_backbone("tf_efficientnet_lite0")[0],
}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> nn.Module:
    """A network whose BatchNorms have the statistics of some images."""
    torch.manual_seed(0)
    made = NETWORKS[request.param]().train()
    with torch.no_grad():
        made(torch.randn(2, 3, 64, 64))
    return made


def outputs(network: nn.Module, image: Tensor) -> list[Tensor]:
    with torch.no_grad():
        output = network(image)
    return output if isinstance(output, list) else [output.logits, *output.features.values()]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_names_weights_and_evaluation_stay(network: nn.Module, device: str) -> None:
    converted = copy.deepcopy(network)
    parameters = list(converted.parameters())
    synchronise_batch_norms(converted, device)

    kinds = {type(m) for m in converted.modules() if isinstance(m, _BatchNorm)}
    assert kinds.isdisjoint({nn.BatchNorm2d, BatchNormAct2d})
    assert all(a is b for a, b in zip(parameters, converted.parameters(), strict=True))
    assert list(converted.state_dict()) == list(network.state_dict())
    image = torch.randn(1, 3, 64, 96)
    before, after = outputs(network.eval(), image), outputs(converted.eval(), image)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_levels_of_a_pyramid_are_still_told_apart(device: str) -> None:
    """PyramidBackbone keeps a list of the per-level norms, whose contents are exchanged."""
    network = NETWORKS["swiftnet"]()
    assert isinstance(network, SwiftNet)
    synchronise_batch_norms(network, device)
    found = [m for m in network.modules() if isinstance(m, PerLevelNorm)]
    assert [id(m) for m in network.backbone._norms] == [id(m) for m in found]
    network.backbone.train()(torch.randn(2, 3, 64, 64), level=1)
    assert [int(n.num_batches_tracked) for n in found[0].norms] == [0, 1, 0]  # type: ignore[arg-type]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("make", [nn.BatchNorm2d, BatchNormAct2d])
def test_a_single_process_trains_as_before(make: type[nn.BatchNorm2d], device: str) -> None:
    plain, converted = nn.Sequential(make(3)), nn.Sequential(make(3))
    synchronise_batch_norms(converted, device)
    batch = torch.randn(2, 3, 4, 5)
    for layer in (plain, converted):
        layer(batch).sum().backward()
    pairs = zip(plain.state_dict().values(), converted.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert torch.equal(plain[0].weight.grad, converted[0].weight.grad)  # type: ignore[arg-type]
