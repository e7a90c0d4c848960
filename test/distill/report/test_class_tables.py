"""The tables by class: every number from the metrics or from the thesis."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from distill.report.class_tables import auprc_tables, iou_tables
from distill.report.comparisons import references
from distill.report.runs import Run, load_runs
from kd_seg_ros.common.classes import CLASS_NAMES

MakeRun = Callable[..., Path]


def test_table_4_7_and_4_8(runs: list[Run]) -> None:
    for tables, key in (
        (iou_tables(runs, references(runs), True), "iou"),
        (auprc_tables(runs, references(runs), True), "auprc"),
    ):
        (table,) = tables
        assert table.groups == [("e_rn18_border", 3), ("j_rn18_cwd_border", 3), ("other", 1)]
        assert [row.title for row in table.rows] == [*CLASS_NAMES, "mean"]
        for row in table.rows[:-1]:
            values = runs[1].scores()[key]
            value = (values if key == "iou" else values["per_class"])[row.title]
            assert row.cells[3].text == f"{100 * value:.1f}"
            assert row.colour.startswith(("rgb(", "url(data:image/png"))
    rider = next(row for row in table.rows if row.title == "rider")
    assert rider.cells[4].text == "46.1"
    assert "rule “step”, 20 thresholds" in table.notes[0]


def test_tables_are_divided_to_fit_a_page(make_run: MakeRun) -> None:
    runs = load_runs([make_run(f"run{number}", images={"fog": 1, "snow": 1}) for number in range(7)])
    first, second = iou_tables(runs, {}, comparable=False)
    assert first.head == ["class", *(f"run{number}" for number in range(6))]
    assert (second.head, bool(first.notes), bool(second.notes)) == (["class", "run6"], False, True)
