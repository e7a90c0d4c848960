"""The search for layers that must stay in floating point, on made-up costs."""

from __future__ import annotations

import pytest

from distill.export.int8_layers import GROUPS, Choice, Layers, choose_layers

LAYERS = tuple(f"layer{number}" for number in range(40))
WORK = dict.fromkeys(LAYERS, 100)


class Network:
    """Loses a share of its classes for every layer that is quantised."""

    def __init__(self, losses: dict[str, float]) -> None:
        self.losses, self.measured = losses, 0

    def agreement(self, layers: Layers) -> float:
        self.measured += 1
        return 1 - sum(self.losses.get(layer, 0.0) for layer in layers)


def test_nothing_is_kept_where_all_layers_can_be_quantised() -> None:
    network = Network({"layer3": 0.01})
    assert choose_layers(WORK, network.agreement, 0.98) == Choice((), {})
    assert network.measured == 1


@pytest.mark.parametrize("sensitive", [("layer0",), ("layer5", "layer39"), ("layer7", "layer8", "layer20")])
def test_the_sensitive_layers_are_found_one_by_one(sensitive: tuple[str, ...]) -> None:
    losses = dict.fromkeys(LAYERS, 0.0001) | dict.fromkeys(sensitive, 0.1)
    network = Network(losses)
    choice = choose_layers(WORK, network.agreement, 0.98)
    assert choice.kept == sensitive
    assert {name for name, _ in choice.worst(len(sensitive))} == set(sensitive)
    assert network.measured < 3 * GROUPS


def test_of_equal_costs_the_layer_with_less_work_is_kept() -> None:
    network = Network({"layer10": 0.05, "layer30": 0.05})
    choice = choose_layers(WORK | {"layer30": 5}, network.agreement, 0.94)
    assert choice.kept == ("layer30",)


def test_where_every_layer_is_sensitive_all_are_kept() -> None:
    choice = choose_layers(WORK, Network(dict.fromkeys(LAYERS, 0.05)).agreement, 0.98)
    assert choice.kept == LAYERS
