"""What every network must do, whichever it is."""

from __future__ import annotations

import pytest
import torch
from architectures import SMALLEST, small_network

from distill.models.build import build
from distill.models.catalogue import MODELS
from distill.models.network import SegmentationNetwork

SIZES = [(97, 131), (864, 864), (1080, 1920)]


@pytest.mark.parametrize("name", MODELS)
def test_any_size_gives_logits_of_that_size_and_features_of_their_strides(name: str) -> None:
    with torch.device("meta"):  # shapes need no arithmetic
        network = build(name, 7).eval()
    multiple = network.padding_multiple
    for size in SIZES:
        output = network(torch.empty(2, 3, *size, device="meta"))
        padded = [-(-side // multiple) * multiple for side in size]
        assert output.logits.shape == (2, 7, *size)
        assert list(output.features) == list(output.strides) == list(network.strides)
        for feature, stride in zip(output.features.values(), output.strides.values(), strict=True):
            assert [side * stride for side in feature.shape[2:]] == padded
        assert output.pre_logits.ndim == 4
        assert not output.auxiliary


@pytest.mark.parametrize("name", SMALLEST)
def test_every_parameter_learns(name: str) -> None:
    network = small_network(name, 7).train()
    output = network(torch.randn(2, 3, 128, 128))
    heads = [output.logits, *output.auxiliary.values()]
    sum((head.square().mean() for head in heads), start=torch.zeros(())).backward()
    assert [key for key, p in network.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("name", SMALLEST)
def test_a_batch_of_one_is_enough_unless_the_catalogue_says_otherwise(name: str) -> None:
    network = small_network(name, 7).train()
    alone = torch.randn(1, 3, 256, 256)
    if not MODELS[name].pools_image:
        assert network(alone).logits.shape == (1, 7, 256, 256)
        return
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        network(alone)


@pytest.mark.parametrize("name", SMALLEST)
def test_exactly_the_training_only_parameters_have_no_part_in_the_logits(name: str) -> None:
    with torch.device("meta"):
        network = build(name, 7).eval()
        network(torch.empty(1, 3, 128, 128)).logits.sum().backward()
    without = sum(p.numel() for p in network.parameters() if p.grad is None)
    assert without == network.training_only_parameters()


@pytest.mark.parametrize("name", SMALLEST)
def test_padding_is_symmetric_and_cropped_off(name: str) -> None:
    torch.manual_seed(0)
    network = build(name, 3).eval()
    image = torch.randn(1, 3, 100, 122)
    padded = torch.nn.functional.pad(image, (3, 3, 14, 14))  # 128×128, the next multiple for all of them
    with torch.no_grad():
        torch.testing.assert_close(network(image).logits, network(padded).logits[..., 14:114, 3:125])


def test_backbone_parameters_are_the_backbones_and_its_projections() -> None:
    with torch.device("meta"):
        swiftnet: SegmentationNetwork = build("swiftnet_resnet18", 3)
        pidnet: SegmentationNetwork = build("pidnet_s", 3)
    names = {id(p): name for name, p in swiftnet.named_parameters()}
    chosen = {names[id(p)] for p in swiftnet.backbone_parameters()}
    assert chosen == {name for name in names.values() if name.startswith(("backbone.", "projections."))}
    assert list(pidnet.backbone_parameters()) == []
