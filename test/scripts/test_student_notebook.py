"""docs/student.ipynb is what its script writes, and its cells run."""

from __future__ import annotations

import json
from typing import Any

import matplotlib
import pytest

matplotlib.use("agg")

from scripts import student_notebook


def kinds_of_outputs(notebook: dict[str, Any]) -> list[str]:
    """What each output of each cell is, in order, with the cell's own number before its outputs."""
    kinds: list[str] = []
    for cell in notebook["cells"]:
        kinds.append(cell["id"])
        kinds += [output["output_type"] for output in cell.get("outputs", ())]
    return kinds


def test_the_cells_run_and_are_those_of_the_notebook() -> None:
    kept = json.loads(student_notebook.NOTEBOOK.read_text(encoding="utf-8"))
    made = student_notebook.notebook()
    assert [cell["source"] for cell in kept["cells"]] == [cell["source"] for cell in made["cells"]]
    assert kinds_of_outputs(kept) == kinds_of_outputs(made)
    assert kinds_of_outputs(made).count("display_data") == 2
    assert len(student_notebook.NOTEBOOK.read_bytes()) < 500_000


def test_a_cell_that_fails_fails() -> None:
    with pytest.raises(ZeroDivisionError):
        student_notebook.outputs("1 / 0", {})
