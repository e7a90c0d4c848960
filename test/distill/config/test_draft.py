"""Where the values of a configuration come from, and which file its mistakes are blamed on."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill.config import load_config
from distill.config.draft import COMMAND_LINE, Draft, Origin, read_draft
from kd_seg_ros.common.errors import UserError

BASE = """\
name: base
data:
  root: there
  dataset: folder
  classes: {values: {0: road, 1: sky}}
student: {backbone: resnet18}
training:
  epochs: 7
  betas: [0.9, 0.95]
objective:
  features:
    - loss: l2
    - {loss: cwd, weight: 2}
"""
TOP = """\
# a comment
base: base.yaml

name: top
training:
  epochs: 9
objective: {features: []}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "top.yaml").write_text(TOP)
    return tmp_path


def test_every_value_has_its_file_and_line(folder: Path) -> None:
    draft = read_draft(folder / "top.yaml")
    base, top = str(folder / "base.yaml"), str(folder / "top.yaml")
    assert draft.values["training"] == {"epochs": 9, "betas": [0.9, 0.95]}
    expected = {
        "name": Origin(top, 4),
        "data.root": Origin(base, 3),
        "data.classes.values.1": Origin(base, 5),
        "student.backbone": Origin(base, 6),
        "training.epochs": Origin(top, 6),
        "training.betas.1": Origin(base, 9),
        "objective.features": Origin(top, 7),
    }
    for key, origin in expected.items():
        assert draft.origin_of(tuple(key.split("."))) == (tuple(key.split(".")), origin)
    # The list of the base is replaced, and so are the places of its entries.
    assert draft.origin_of(("objective", "features", "0", "loss")) == (
        ("objective", "features"),
        Origin(top, 7),
    )
    assert draft.origin_of(("seed",)) == ((), None)
    assert str(Origin(top, 4)) == f"{top}:4"


def test_the_command_line_replaces_values_and_their_origins(folder: Path) -> None:
    draft = read_draft(folder / "base.yaml")
    draft.set("objective.features.1.weight", 5, COMMAND_LINE)
    draft.set("data.classes", None, COMMAND_LINE)
    assert draft.values["objective"]["features"][1] == {"loss": "cwd", "weight": 5}
    assert draft.origin_of(("objective", "features", "1", "weight"))[1] is COMMAND_LINE
    assert draft.origin_of(("objective", "features", "1", "loss"))[1] == Origin(draft.source, 13)
    assert draft.origin_of(("data", "classes", "values", "0")) == (("data", "classes"), COMMAND_LINE)
    with pytest.raises(UserError, match=r"^--objective\.features\.2: objective\.features has 2 entries"):
        draft.set("objective.features.2.weight", 5, COMMAND_LINE)


def test_anchors_and_merge_keys_have_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("one: &one\n  epochs: 3\ntwo:\n  <<: *one\n  seed: 4\n")
    draft = read_draft(path)
    assert draft.values["two"] == {"epochs": 3, "seed": 4}
    assert draft.origin_of(("two", "epochs")) == (("two", "epochs"), Origin(str(path), 2))
    assert draft.origin_of(("two", "seed"))[1] == Origin(str(path), 5)


def test_what_was_reached_of_a_location() -> None:
    draft = Draft("here", {"a": {"b": [1, {"c": None}]}})
    assert draft.reached(("a", "b", "1", "c", "str")) == ("a", "b", "1", "c")
    assert draft.reached(("a", "b", "2")) == ("a", "b")
    assert draft.reached(()) == ()


@pytest.mark.parametrize(
    ("base", "top", "place"),
    [
        ("seeed: 1", "", "base.yaml:14: unknown key 'seeed'"),
        ("", "seeed: 1", "top.yaml:8: unknown key 'seeed'"),
        ("seed: -1", "", "base.yaml:14: 'seed': "),
        ("seed: -1", "seed: -2", "top.yaml:8: 'seed': .*it is -2"),
        ("teacher: {onnx: a, checkpoint: b}", "", "base.yaml:14: 'teacher': give exactly one"),
        ("", "teacher: {onnx: a}", "top.yaml: a teacher is given but no term"),
        ("out:\n  - a", "", "base.yaml:14: 'out': "),
    ],
)
def test_a_mistake_is_blamed_on_the_file_in_which_it_stands(
    folder: Path, base: str, top: str, place: str
) -> None:
    (folder / "base.yaml").write_text(BASE + base)
    (folder / "top.yaml").write_text(TOP + top)
    with pytest.raises(UserError, match=rf"^{folder}/{place}") as error:
        load_config(folder / "top.yaml")
    assert "\n" not in str(error.value)
