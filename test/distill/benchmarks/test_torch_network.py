from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from distill.benchmarks import torch_network
from distill.benchmarks.one_convolution import Kind, card
from distill.benchmarks.random_network import random_network
from kd_seg_ros.common.errors import UserError


def test_without_a_gpu_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="finds no GPU"):
        torch_network.catalogue_network("pidnet_s", card(Kind()))


def test_a_network_from_elsewhere_is_not_measured() -> None:
    with pytest.raises(UserError, match="the model card tells no network"):
        torch_network.exported_network(replace(card(Kind()), config={"wrapped": "net.onnx"}))


def test_the_image_has_the_networks_padding() -> None:
    network = random_network("pidnet_s")
    image = torch_network.working_image(network, card(Kind(size=(100, 220), scale=0.5)))
    multiple = network.padding_multiple
    assert image.shape == (1, 3, 50 + -50 % multiple, 110 + -110 % multiple)
