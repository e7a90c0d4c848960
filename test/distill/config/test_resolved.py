"""The whole configuration with where each value comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from distill.config import load_config
from distill.config.resolved import resolve_config
from distill.config.shipped import shipped_configs

BASE = """\
name: base
data:
  dataset: folder
  root: there
  classes: classes.yaml
student: {backbone: resnet18}
teacher: {checkpoint: t.ckpt}
training:
  epochs: 7
objective:
  logits: kl
  features:
    - loss: l2
    - {loss: cwd, weight: 2, adapters: true}
"""
TOP = """\
base: base.yaml
name: top
training: {epochs: 9}
"""


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("base.yaml").write_text(BASE)
    Path("classes.yaml").write_text("{classes: [sky, road], values: {0: sky, 1: road}}")
    Path("top.yaml").write_text(TOP)
    return Path("top.yaml")


def test_every_value_has_its_origin(top: Path) -> None:
    resolved = resolve_config(top, {"seed": 3, "objective.features.0.weight": 5.0, "teacher.cache": None})
    origins = {}
    for key, place in resolved.document()["origins"].items():
        origins[key] = f"{place['source']}:{place['line']}" if "line" in place else place["source"]
    expected = {
        "name": "top.yaml:2",
        "seed": "command line",
        "out": "default",
        "data.root": "base.yaml:4",
        "data.classes.values.1": "base.yaml:5",
        "data.mean": "default",
        "teacher.checkpoint": "base.yaml:7",
        "teacher.cache": "command line",
        "teacher.mean": "default",
        "training.epochs": "top.yaml:3",
        "training.betas": "default",
        "objective.logits": "base.yaml:11",
        "objective.features.0.loss": "base.yaml:13",
        "objective.features.0.weight": "command line",
        "objective.features.1.weight": "base.yaml:14",
        "objective.features.1.temperature": "default",
        "objective.features.1.adapters.projectors": "base.yaml:14",
    }
    assert {key: origins[key] for key in expected} == expected


def test_every_line_of_the_text_says_where_its_value_comes_from(top: Path) -> None:
    text = resolve_config(top, {"seed": 3}).as_yaml()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    found = {}
    for line in lines:
        words, _, comment = line.partition("  # ")
        found[words.strip()] = comment
    assert found["seed: 3"] == "command line"
    assert found["name: top"] == "top.yaml:2"
    assert found["epochs: 9"] == "top.yaml:3"
    assert found["- loss: cwd"] == "base.yaml:14"
    assert found["flip: true"] == "default"
    assert found["data:"] == ""
    columns = {line.index("  # ") for line in lines if "  # default" in line and len(line) < 60}
    assert len(columns) <= 2  # all in one column, but for one of several spaces


@pytest.mark.parametrize("name", shipped_configs())
def test_the_text_is_the_same_configuration_again(name: str, tmp_path: Path) -> None:
    resolved = resolve_config(name, {"data.root": "somewhere: else # here", "seed": 7})
    path = tmp_path / "again.yaml"
    path.write_text(resolved.as_yaml(), encoding="utf-8")
    again = load_config(path)
    assert again.objective == resolved.config.objective
    assert again.data.class_map == resolved.config.data.class_map
    assert again.digest() == resolved.config.digest()


def test_the_document_is_json_and_holds_the_same_values(top: Path) -> None:
    resolved = resolve_config(top)
    document = json.loads(json.dumps(resolved.document()))
    assert document["config"] == yaml.safe_load(resolved.as_yaml()) == resolved.config.model_dump(mode="json")


def test_files_of_the_same_name_are_told_apart(top: Path) -> None:
    Path("sub").mkdir()
    Path("sub/top.yaml").write_text("base: ../top.yaml\nseed: 4\n")
    text = resolve_config(Path("sub/top.yaml")).as_yaml()
    assert "# sub/top.yaml:2" in text
    assert "# sub/../top.yaml:2" in text
    assert "# base.yaml is sub/../base.yaml" in text
