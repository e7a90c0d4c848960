"""Tables as CSV and LaTeX."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from distill.report.table_files import as_csv, as_latex, escape, write_tables
from distill.report.tables import Cell, Row, Table

TABLE = Table(
    ["class", "ours", "thesis"],
    [
        Row("a_b & c%", [Cell("12.3", "+1.0"), Cell("11.0")], "first"),
        Row("=1+1", [Cell("–"), Cell("−0.5")], "total"),
    ],
    groups=[("run_1", 2)],
    notes=["IoU in percent."],
)


def test_csv_has_differences_in_columns_of_their_own_and_numbers_that_programs_read() -> None:
    rows = list(csv.reader(io.StringIO(as_csv(TABLE))))
    assert rows == [
        ["class", "run_1, ours", "run_1, ours, difference", "run_1, thesis"],
        ["a_b & c%", "12.3", "+1.0", "11.0"],
        ["'=1+1", "", "", "-0.5"],
    ]
    assert float(rows[2][3]) == -0.5


def test_latex_is_a_booktabs_tabular() -> None:
    assert as_latex(TABLE).splitlines() == [
        r"% needs \usepackage{booktabs}",
        r"\begin{tabular}{lrr}",
        r"\toprule",
        r" & \multicolumn{2}{c}{run\_1} \\",
        r"class & ours & thesis \\",
        r"\midrule",
        r"a\_b \& c\% & 12.3 (+1.0) & 11.0 \\",
        r"\midrule",
        r"=1+1 & -- & $-$0.5 \\",
        r"\bottomrule",
        r"\end{tabular}",
        "% IoU in percent.",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\\{}", r"\textbackslash{}\{\}"),
        ("~^$#", r"\textasciitilde{}\textasciicircum{}\$\#"),
        ("1920×1080 → α", r"1920$\times$1080 $\rightarrow$ $\alpha$"),
        ("plain", "plain"),
    ],
)
def test_what_latex_would_take_for_a_command_is_escaped(text: str, expected: str) -> None:
    assert escape(text) == expected


def test_a_section_of_several_tables_is_numbered(tmp_path: Path) -> None:
    write_tables({"runs": [TABLE], "iou": [TABLE, TABLE], "auprc": []}, tmp_path / "tables")
    names = ["iou_1.csv", "iou_1.tex", "iou_2.csv", "iou_2.tex", "runs.csv", "runs.tex"]
    assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == names
