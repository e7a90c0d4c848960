"""What the catalogue says of its networks, against the networks, their papers and the thesis."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from distill.models.build import construct
from distill.models.catalogue import MODELS, check_name
from distill.models.complexity import Complexity, complexity
from distill.models.network import SegmentationNetwork
from kd_seg_ros.common.errors import UserError

DOCS = Path(__file__).resolve().parents[3] / "docs" / "models.md"

PUBLISHED = {
    "swiftnet_resnet18": 16.746,
    "swiftnet_mobilenetv4_conv_medium": 13.163,
    "swiftnet_convnext_large": 203.633,
    "pidnet_s": 7.626,
    "pidnet_m": 28.539,
    "pidnet_l": 36.940,
    "sfnet_resnet18": 12.870,
    "sfnet_lite_resnet18": 12.296,
    "segformer_b0": 3.719,
    "hrnetv2_w48": 65.859,
}
"""Millions of parameters, with 19 classes."""


@pytest.mark.parametrize("name", MODELS)
def test_stored_counts_are_those_of_the_network(name: str) -> None:
    model = MODELS[name]
    counted = complexity(name)
    stored = Complexity(model.deployed_parameters, model.training_only_parameters, model.gflops)
    assert stored == replace(counted, gflops=round(counted.gflops, 1))


def test_parameters_are_the_published_ones() -> None:
    counts = {name: round(MODELS[name].parameters / 1e6, 3) for name in PUBLISHED}
    assert counts == PUBLISHED


@pytest.mark.parametrize("name", MODELS)
def test_the_documentation_has_a_row_with_the_same_counts(name: str) -> None:
    rows = re.findall(rf"^\| `{name}` \| ([\d.]+) \| ([\d.]+) \|", DOCS.read_text(encoding="utf-8"), re.M)
    model = MODELS[name]
    assert rows == [(f"{model.parameters / 1e6:.3f}", f"{model.gflops:.1f}")]


def test_each_network_of_the_thesis_is_there() -> None:
    """Tables 4.2 and 4.3."""
    assert [m.thesis.name for m in MODELS.values() if m.thesis] == [
        "SN-FPN-RN18",
        "SN-FPN-MNv4",
        "SN-FPN-ConvNeXt-L",
        "PIDNet-S",
        "PIDNet-M",
        "PIDNet-L",
        "SF-RN18",
        "SF-lite-RN18",
        "SegFormer-B0",
        "HRNetV2-W48",
    ]


def test_a_network_is_made_from_the_name_of_its_class() -> None:
    network = construct("segformer.SegFormer", 5, variant=0)
    assert isinstance(network, SegmentationNetwork)
    assert type(network).__name__ == "SegFormer"
    assert network.state_dict()["decoder.classifier.weight"].shape[0] == 5


@pytest.mark.parametrize(
    ("wrong", "near"), [("pidnet", "pidnet_s"), ("segformer-b0", "segformer_b0"), ("hrnet", "hrnetv2_w48")]
)
def test_an_unknown_name_is_answered_with_near_ones(wrong: str, near: str) -> None:
    with pytest.raises(UserError, match=rf"unknown model '{wrong}'; did you mean .*'{near}"):
        check_name(wrong)


def test_a_name_like_no_other_is_answered_with_all() -> None:
    with pytest.raises(UserError, match=r"swiftnet, .*hrnetv2_w48"):
        check_name("??")
