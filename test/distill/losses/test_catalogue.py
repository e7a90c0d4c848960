"""Every loss of the catalogue has its function, its tests and its row in the documentation."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from distill.losses.catalogue import (
    ADVERSARIAL_LOSS,
    ALL_LOSSES,
    FEATURE_LOSSES,
    LABEL_LOSSES,
    LOGIT_LOSSES,
)
from distill.losses.kinds import FEATURE_PARAMETERS, Loss

ROOT = Path(__file__).parents[3]
HELPERS = {
    "__init__",
    "_common",
    "boundary",
    "catalogue",
    "curriculum_temperature",
    "embedding_memory",
    "kinds",
    "ohem",
    "projector",
    "whitening",
}
"""Modules of the folder that are no losses of a configuration but parts of some, or change their inputs."""


def rows() -> list[list[str]]:
    """The cells of the documentation's tables, row by row, without their code marks."""
    page = (ROOT / "docs" / "losses.md").read_text(encoding="utf-8")
    found = []
    for line in page.splitlines():
        if line.startswith("| `"):
            cells = line.strip("|").split(" | ")
            found.append([cell.strip().replace("`", "") for cell in cells])
    return found


def row_of(loss: Loss, key: str) -> list[str]:
    """The one row whose first cell begins with a key."""
    (found,) = [row for row in rows() if row[0].split(" (")[0].split(", ")[0] == key]
    assert found[-2] == f"{loss.name}.py", "the file"
    assert found[-1].split(";")[0].strip() in loss.source, "the source"
    assert loss.source in found[-1], "the source"
    return found


@pytest.mark.parametrize("name", ALL_LOSSES)
def test_its_name_is_that_of_its_module(name: str) -> None:
    loss = ALL_LOSSES[name]
    assert loss.name == name
    assert loss.function.__module__ == f"distill.losses.{name}"
    assert loss.source


def used_names(text: str) -> set[str]:
    """The names that a program reads: of functions that it calls, or puts into a table of cases."""
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


@pytest.mark.parametrize("name", ALL_LOSSES)
def test_there_is_a_test_of_its_formula(name: str) -> None:
    function = ALL_LOSSES[name].function.__name__
    line = f"from distill.losses.{name} import "
    for path in Path(__file__).parent.glob("test_*.py"):
        text = path.read_text(encoding="utf-8")
        if line in text and function in used_names(text):
            return
    pytest.fail(f"no test of this folder uses {function}")


def test_every_module_is_in_the_catalogue() -> None:
    modules = {path.stem for path in (ROOT / "distill" / "losses").glob("*.py")}
    assert modules == ALL_LOSSES.keys() | HELPERS


@pytest.mark.parametrize("name", LABEL_LOSSES)
def test_documentation_of_a_label_loss(name: str) -> None:
    row_of(LABEL_LOSSES[name], name)


@pytest.mark.parametrize("name", LOGIT_LOSSES)
def test_documentation_of_a_logit_loss(name: str) -> None:
    row_of(LOGIT_LOSSES[name], f"logits: {name}")


@pytest.mark.parametrize("name", FEATURE_LOSSES)
def test_documentation_of_a_feature_loss(name: str) -> None:
    loss = FEATURE_LOSSES[name]
    row = row_of(loss, name)
    weight, shape = row[2], row[3]
    number = re.match(r"[\d.]+", weight)
    assert number is not None
    assert float(number[0]) == loss.weight
    assert (", ours" in weight) == (loss.weight_source == "this project")
    assert ("; 3 on logits where" in weight) == (loss.logits_weight is not None)
    assert loss.weight_note in weight
    assert shape == ("C, H, W" if loss.same_channels else "H, W")
    signs = {"temperature": "T", "beta": "β", "power": "p"}
    assert loss.parameters.keys() <= signs.keys() == set(FEATURE_PARAMETERS)
    for parameter, value in loss.parameters.items():
        assert f"{signs[parameter]} = {value:g}" in row[1]


def test_documentation_of_the_adversarial_loss() -> None:
    row = row_of(ADVERSARIAL_LOSS, "adversarial: true")
    assert row[2] == f"weight {ADVERSARIAL_LOSS.weight:g}, rate {ADVERSARIAL_LOSS.learning_rate:.0e}".replace(
        "e-0", "e-"
    )


def test_the_catalogue_is_read_without_pytorch() -> None:
    code = "import sys; import distill.losses.catalogue; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
