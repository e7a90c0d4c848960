"""docs/student.ipynb is what its script writes, and its cells run."""

from __future__ import annotations

import json

import matplotlib
import pytest

matplotlib.use("agg")

from scripts import student_notebook


def test_the_cells_run_and_are_those_of_the_notebook() -> None:
    kept = json.loads(student_notebook.NOTEBOOK.read_text(encoding="utf-8"))
    made = student_notebook.notebook()
    assert [cell["source"] for cell in kept["cells"]] == [cell["source"] for cell in made["cells"]]
    kinds = [[output["output_type"] for output in cell.get("outputs", ())] for cell in made["cells"]]
    assert kinds == [[output["output_type"] for output in cell.get("outputs", ())] for cell in kept["cells"]]
    assert sum(kind.count("display_data") for kind in kinds) == 2
    assert len(student_notebook.NOTEBOOK.read_bytes()) < 500_000


def test_a_cell_that_fails_fails() -> None:
    with pytest.raises(ZeroDivisionError):
        student_notebook.outputs("1 / 0", {})
