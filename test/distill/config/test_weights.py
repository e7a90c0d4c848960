"""Every weight of a feature loss in the shipped configurations says whose it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from distill.config.shipped import find_config
from distill.losses.catalogue import FEATURE_LOSSES

FILES = sorted(find_config("acdc_base").parent.glob("*.yaml"))
"""All configurations of this package."""


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_weight_is_stated_with_its_origin(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    values = yaml.safe_load(text)
    features = (values.get("objective") or {}).get("features", [])
    lines = [line for line in text.splitlines() if re.match(r"\s+weight:", line)]
    stated = lines if features else []
    assert len(stated) == len(features)
    for feature, line in zip(features, stated, strict=True):
        weight, _, comment = line.partition("#")
        assert float(weight.split(":")[1]) == feature["weight"]
        loss = FEATURE_LOSSES[feature["loss"]]
        published = feature["weight"] in (loss.weight, loss.logits_weight) and loss.weight_source == "authors"
        assert comment.strip().startswith("its authors'" if published else "this project's")
