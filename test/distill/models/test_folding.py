"""A folded network returns what the network returns."""

from __future__ import annotations

import pytest
import torch
from architectures import small_network
from torch import nn

from distill.benchmarks.random_network import settle
from distill.models.folding import folded
from distill.models.pidnet import PidNet
from distill.models.swiftnet import SwiftNet


def trained_statistics(network: nn.Module) -> None:
    """Give every BatchNorm statistics and an affine map that are far from those it starts with."""
    settle(network, torch.randn(2, 3, 128, 128))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, -1.5, 1.5)
            nn.init.normal_(module.bias)


@pytest.mark.parametrize("size", [(128, 256), (97, 131)])
def test_a_swiftnet_with_its_decoder_folded_is_the_same(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network = SwiftNet("resnet10t", 5, 16)
    trained_statistics(network)
    before = network.state_dict()
    copies = {name: tensor.clone() for name, tensor in before.items()}
    result = folded(network).eval()
    image = torch.randn(1, 3, *size)
    with torch.no_grad():
        expected, found = network(image).logits, result(image).logits
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, atol=2e-5 * float(expected.abs().max()), rtol=0)
    # The 12 BatchNorms before projections read the backbone's maps, which others read too: they stay.
    assert isinstance(result, SwiftNet)
    decoder = [*result.blends.modules(), *result.head.modules()]
    assert not any(isinstance(module, nn.BatchNorm2d) for module in decoder)
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(tensor, copies[name], rtol=0, atol=0)


def test_other_networks_are_copied() -> None:
    network = small_network("pidnet_s", 5).eval()
    result = folded(network)
    assert isinstance(result, PidNet)
    assert result is not network
    assert [*result.state_dict()] == [*network.state_dict()]
