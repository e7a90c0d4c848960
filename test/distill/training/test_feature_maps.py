from __future__ import annotations

import pytest
import torch
from architectures import SMALLEST, small_network

from distill.models.output import pad_to_multiple
from distill.training.feature_maps import (
    FeatureShape,
    feature_map,
    feature_shapes,
    pad_labels,
    training_heads,
)

HEADS = {"pidnet_s": ["semantic", "boundary"], "sfnet_lite_resnet18": ["semantic"]}


@pytest.mark.parametrize("name", SMALLEST)
def test_shapes_and_heads_are_foreseen_and_nothing_is_touched(name: str) -> None:
    model = small_network(name, 5).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    random = torch.get_rng_state()
    shapes, heads = feature_shapes(model, (65, 130)), training_heads(model)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(module.training for module in model.modules())
    real = model(torch.randn(2, 3, 65, 130))
    assert heads == list(real.auxiliary) == HEADS.get(name, [])
    maps = {**real.features, "pre_logits": real.pre_logits, "logits": real.logits}
    assert shapes == {name: values.shape[1:] for name, values in maps.items()}
    assert list(shapes) == list(maps)


def test_a_frozen_network_stays_frozen() -> None:
    model = small_network("pidnet_s", 5).eval()
    feature_shapes(model, (64, 64))
    training_heads(model)
    assert not any(module.training for module in model.modules())


def test_shapes_are_written_as_channels_height_width() -> None:
    assert str(FeatureShape(320, 56, 28)) == "320×56×28"


@pytest.mark.parametrize("size", [(128, 256), (65, 97), (97, 131), (129, 40)])
def test_labels_are_padded_as_the_network_pads_the_image(size: tuple[int, int]) -> None:
    model = small_network("swiftnet_resnet18", 5).eval()
    labels = torch.randint(0, 5, (1, *size))
    with torch.no_grad():
        output = model(torch.zeros(1, 3, *size))
    expected = pad_to_multiple(labels[:, None] + 1, model.padding_multiple)[0][:, 0] - 1
    expected[expected == -1] = 255
    for name in (*model.strides, "pre_logits"):
        assert torch.equal(pad_labels(labels, feature_map(output, name).padding), expected)
    assert torch.equal(pad_labels(labels, feature_map(output, "logits").padding), labels)
