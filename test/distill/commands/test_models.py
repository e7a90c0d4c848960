"""The list of networks, as a table and as JSON."""

from __future__ import annotations

import json
import re

import pytest

from distill.__main__ import main
from distill.models.catalogue import MODELS


def printed(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["models", *options]) == 0
    return capsys.readouterr().out


def test_json_lists_every_model(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["name"]: row for row in json.loads(printed(capsys, "--json"))}
    assert list(rows) == list(MODELS)
    teacher = rows["swiftnet_convnext_large"]
    assert (teacher["backbone"], teacher["parameters"]) == ("convnext_large", 203_632_723)
    # The larger of a family computes more, and the teacher more than anything else.
    gflops = {name: row["gflops"] for name, row in rows.items()}
    assert gflops["pidnet_s"] < gflops["pidnet_m"] < gflops["pidnet_l"]
    assert max(gflops, key=lambda name: gflops[name]) == "swiftnet_convnext_large"

    lite = rows["sfnet_lite_resnet18"]
    assert lite["parameters"] - lite["deployed_parameters"] == lite["training_only_parameters"] > 0


def test_the_table_shows_our_counts_next_to_the_thesis(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys).splitlines()
    row = next(line for line in lines if line.startswith("pidnet_s"))
    assert re.search(r"PIDNet-S +7\.626 M +0\.\d{3} M +\d+\.\d +PIDNet-S +7\.6 M$", row)
    assert any(line.startswith("sfnet_lite_resnet18*") for line in lines)
    assert any(line.startswith("* counted as published") and line.endswith("12.080 M") for line in lines)
