"""What the trainings have cost, next to what they gained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from distill.report.comparisons import references
from distill.report.run_tables import cost_table
from distill.report.runs import load_runs

MakeRun = Callable[..., Path]


def test_cost_stands_next_to_miou_and_a_dash_where_it_is_unknown(make_run: MakeRun) -> None:
    paths = [make_run("plain"), make_run("taught", teacher=True, skill=2.5)]
    metrics = paths[1] / "best.metrics.json"
    document = json.loads(metrics.read_text())
    document["model"]["training_cost"] = {
        "run": "a",
        "images": 1600,
        "epochs": 4,
        "devices": {"GPU": 1000.4, "CPU": 234.0},
    }
    metrics.write_text(json.dumps(document))
    runs = load_runs(paths)
    table = cost_table(runs, references(runs))
    assert [cell.text for cell in table.rows[0].cells[1:]] == ["–"] * 4
    assert [cell.text for cell in table.rows[1].cells[1:]] == ["1,234", "GPU and CPU", "1,600", "4"]
    gain = 100 * (runs[1].miou - runs[0].miou)
    assert table.rows[1].cells[0].below == f"{gain:+.1f}"
    assert len(table.notes) == 2
    assert runs[1].cost is not None
    assert runs[1].cost.seconds == pytest.approx(1234.4)
