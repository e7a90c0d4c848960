"""The tables of the page: every number from the metrics or from the thesis, written and shaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from distill.common.formats import percent, three_digits
from distill.report.class_tables import auprc_tables, iou_tables
from distill.report.comparisons import references
from distill.report.run_tables import calibration_table
from distill.report.runs import Run, load_runs
from distill.report.tables import (
    against_thesis,
    compared,
    compared_ece,
    objective,
    runs_table,
    scores_table,
    shade,
    signed,
)
from kd_seg_ros.common.classes import CLASS_NAMES

MakeRun = Callable[..., Path]


def test_numbers() -> None:
    assert (percent(0.7116), percent(None)) == ("71.2", "–")
    assert (three_digits(0.0634), three_digits(None)) == ("0.063", "–")
    assert [signed(value) for value in (2.66, -0.31, 0.04, -0.04)] == ["+2.7", "−0.3", "±0.0", "±0.0"]
    assert signed(-0.0124, 3) == "−0.012"


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        (0.04, ""),
        (0.05, "better1"),
        (-0.9, "worse1"),
        (1, "better2"),
        (-2.9, "worse2"),
        (3, "better3"),
        (-9, "worse3"),
    ],
)
def test_shades(points: float, expected: str) -> None:
    assert shade(points) == expected


def test_more_is_better_for_shares_and_less_for_calibration_errors() -> None:
    iou, ece = compared(0.70, 0.68), compared_ece(0.05, 0.07)
    assert (iou.text, iou.below, iou.shade) == ("70.0", "+2.0", "better2")
    assert (ece.text, ece.below, ece.shade) == ("5.00", "−2.00", "better2")
    assert (compared(0.7, None).below, compared_ece(None, 0.1).text) == ("", "–")
    ours = against_thesis(0.70, 71.2)
    assert (ours.text, ours.shade) == ("−1.2", "worse2")
    assert against_thesis(None, 71.2).text == "–"


def test_table_4_6(runs: list[Run]) -> None:
    table = scores_table(runs, references(runs), comparable=True)
    assert table.head == [
        "run",
        *(f"mIoU {condition}" for condition in ("full", "fog", "night", "rain", "snow")),
        "ECE exact [%]",
        "ECE batched16 [%]",
        "AURC [%]",
    ]
    titles = [row.title for row in table.rows]
    assert titles == [
        "e_rn18_border",
        "thesis, Table 4.6 E",
        "ours − thesis",
        "j_rn18_cwd_border",
        "thesis, Table 4.6 J",
        "ours − thesis",
        "other",
    ]
    ours, thesis, difference = table.rows[3:6]
    for cell, condition in zip(ours.cells, runs[1].columns, strict=False):
        here, before = runs[1].scores(condition)["miou"], runs[0].scores(condition)["miou"]
        assert cell.text == f"{100 * here:.1f}"
        assert float(cell.below.replace("−", "-")) == pytest.approx(100 * (here - before), abs=0.051)
    assert (ours.below, table.rows[0].below) == ("against e_rn18_border", "baseline")
    assert [cell.text for cell in thesis.cells] == ["71.2", "75.7", "54.6", "69.8", "74.6", "–", "6.30", "–"]
    assert float(difference.cells[0].text.replace("−", "-")) == pytest.approx(
        100 * runs[1].scores()["miou"] - 71.2, abs=0.051
    )
    ece = runs[1].scores()["ece_batched16"]
    assert float(difference.cells[-2].text) == pytest.approx(100 * ece - 6.3, abs=0.0051)
    assert difference.cells[-2].shade.startswith("worse")
    assert ours.cells[-1].text == f"{100 * runs[1].scores()['aurc']:.2f}"


def test_no_numbers_of_the_thesis_on_other_data(runs: list[Run]) -> None:
    table = scores_table(runs, {}, comparable=False)
    assert [row.title for row in table.rows] == ["e_rn18_border", "j_rn18_cwd_border", "other"]
    iou = iou_tables(runs, {}, comparable=False)
    assert iou[0].head == ["class", "e_rn18_border", "j_rn18_cwd_border", "other"]


def test_a_run_of_an_experiments_name_with_another_objective_is_told(make_run: MakeRun) -> None:
    folder = make_run("j_rn18_cwd_border", names=CLASS_NAMES)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["objective"]["gamma"] = 0.25
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    table = scores_table(load_runs([folder]), {}, comparable=True)
    assert [row.title for row in table.rows] == ["j_rn18_cwd_border"]
    assert "is not that experiment: objective.gamma is 0.25, not 0.5" in table.notes[-1]


def test_one_condition_has_one_column(make_run: MakeRun) -> None:
    run = load_runs([make_run(images={"normal": 2})])
    assert scores_table(run, {}, comparable=False).head[1:3] == ["mIoU full", "ECE exact [%]"]
    assert len(calibration_table(run).rows) == 1
    fog = load_runs([make_run("e_rn18_border", names=CLASS_NAMES, images={"fog": 2})])
    table = scores_table(fog, {}, comparable=False)
    assert (table.head[1], len(table.rows)) == ("mIoU fog", 1)


def test_swapped_and_repeated_rows_are_said(make_run: MakeRun) -> None:
    runs = load_runs([make_run(name, names=CLASS_NAMES) for name in ("a_mnv4_border", "h_rn18_l2_border")])
    assert "rain and snow are almost certainly swapped" in scores_table(runs, {}, True).notes[-1]
    tables = iou_tables(runs, {}, True)
    assert "Row H" in tables[-1].notes[-1]
    road, mean = tables[0].rows[0].cells, tables[0].rows[-1].cells
    assert road[1].text == "96.1"
    assert [cell.text for cell in road[4:]] == ["–", "–"]
    assert mean[4].text == "69.1"


def test_runs_of_mask_and_confidence_have_no_auprc(make_run: MakeRun) -> None:
    top, whole = make_run("top", top_only=True), make_run("whole")
    assert auprc_tables(load_runs([top]), {}, comparable=False) == []
    (table,) = auprc_tables(load_runs([top, whole]), {}, comparable=False)
    assert table.rows[0].cells[0].text == "–"
    assert "mask and its confidence only" in table.notes[1]
    assert calibration_table(load_runs([top])).rows[0].cells[-1].text == "–"


def test_what_the_runs_are(runs: list[Run]) -> None:
    assert [objective(run) for run in runs[:2]] == ["border_focal", "border_focal + cwd"]
    row = runs_table(runs).rows[1]
    texts = [cell.text for cell in row.cells]
    assert texts[:4] == ["swiftnet_resnet18", "16.75", "border_focal + cwd", "T = 1.50"]
    assert texts[5] == "best.ckpt, 00000000"


def test_calibration_by_condition(runs: list[Run]) -> None:
    rows = calibration_table(runs).rows
    assert [row.title for row in rows[:5]] == ["e_rn18_border", "fog", "night", "rain", "snow"]
    night = runs[0].scores("night")
    errors = [night["ece"], night["ece_batched16"], night["aurc"], night["ece_classwise"]["mean"]]
    expected = [f"{100 * value:.2f}" for value in errors]
    expected += [f"{night[key]:.3f}" for key in ("brier", "nll")]
    assert [cell.text for cell in rows[2].cells] == expected
