from __future__ import annotations

import json
import re
from typing import Any

import pytest

from distill.__main__ import main
from distill.commands.models import table
from distill.models.catalogue import MODELS

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
"""Millions, with 19 classes."""


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    with pytest.MonkeyPatch.context() as patch:
        printed: list[str] = []
        patch.setattr("builtins.print", lambda text: printed.append(text))
        assert main(["models", "--json"]) == 0
    return json.loads(printed[0])


def test_json_lists_every_model(rows: list[dict[str, Any]]) -> None:
    assert [row["name"] for row in rows] == list(MODELS)
    teacher = next(row for row in rows if row["name"] == "swiftnet_convnext_large")
    assert (teacher["backbone"], teacher["parameters"]) == ("convnext_large", 203_632_723)
    # The larger of a family computes more, and the teacher more than anything else.
    gflops = {row["name"]: row["gflops"] for row in rows}
    assert gflops["pidnet_s"] < gflops["pidnet_m"] < gflops["pidnet_l"]
    assert max(gflops, key=lambda name: gflops[name]) == "swiftnet_convnext_large"

    lite = next(row for row in rows if row["name"] == "sfnet_lite_resnet18")
    assert lite["parameters"] - lite["deployed_parameters"] == lite["training_only_parameters"] > 0


def test_parameters_are_the_published_ones(rows: list[dict[str, Any]]) -> None:
    counts = {row["name"]: round(row["parameters"] / 1e6, 3) for row in rows}
    assert {name: counts[name] for name in PUBLISHED} == PUBLISHED


def test_table_shows_ours_beside_the_thesis(rows: list[dict[str, Any]]) -> None:
    lines = table(rows).splitlines()
    row = next(line for line in lines if line.startswith("pidnet_s"))
    assert re.search(r"PIDNet-S +7\.626 M +0\.\d{3} M +\d+\.\d +PIDNet-S +7\.6 M$", row)
    assert any(line.startswith("sfnet_lite_resnet18*") for line in lines)
    assert any(line.startswith("* counted as published") and line.endswith("12.080 M") for line in lines)
