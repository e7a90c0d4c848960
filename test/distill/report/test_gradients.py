"""The gradients of a run's terms: what is read, warned of and drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distill.report.gradients import draw_gradients, read_gradients, warnings_of
from distill.report.plots import Plots, _gradients
from distill.report.runs import load_runs
from kd_seg_ros.common.errors import UserError

HEAD = "step,term,part,share\n"
ROWS = (
    HEAD
    + "0,cwd,backbone,0.2\n0,cwd,decoder,0.01\n0,kl,backbone,12\n0,kl,decoder,1\n"
    + "100,cwd,backbone,0.01\n100,cwd,decoder,0.015\n100,kl,backbone,20\n"
    + "100,kl,backbone,2\n"  # resumed
    + "200,cwd,decoder,0\n200,kl,backbone,11\n"
)


def values(data: Any) -> list[float]:
    """What matplotlib returns of a line, as a list."""
    found: list[float] = np.asarray(data, np.float64).tolist()
    return found


def test_the_later_row_of_a_step_counts(tmp_path: Path) -> None:
    (tmp_path / "gradients.csv").write_text(ROWS)
    measured = read_gradients(tmp_path)
    assert [shares.step for shares in measured] == [0, 100, 200]
    assert measured[1].of_parts == {"cwd": {"backbone": 0.01, "decoder": 0.015}, "kl": {"backbone": 2.0}}


def test_a_run_without_measurements_has_none(tmp_path: Path) -> None:
    assert read_gradients(tmp_path) == []


def test_what_is_out_of_bounds_is_listed_once_with_how_often(tmp_path: Path) -> None:
    (tmp_path / "gradients.csv").write_text(ROWS)
    strong, weak = warnings_of(read_gradients(tmp_path))
    assert strong.startswith("the gradient of kl is 12 times the labels' at step 0 (backbone), more than 10")
    assert strong.endswith("(so in 2 of 3 measured steps)")
    assert weak.startswith("the gradient of cwd is 1.5 % of the labels' at step 100, below 2 %")
    assert weak.endswith("(so in 2 of 3 measured steps)")


def test_the_curves_and_the_bounds_are_drawn(tmp_path: Path) -> None:
    (tmp_path / "gradients.csv").write_text(ROWS)
    drawn = draw_gradients(read_gradients(tmp_path), "run")
    backbone, decoder = drawn.axes
    curves = {str(line.get_label()): line for line in backbone.lines}
    assert values(curves["cwd"].get_xdata()) == [0, 100]
    assert values(curves["kl"].get_ydata()) == [12, 2, 11]
    bounds = [values(line.get_ydata())[0] for line in backbone.lines[-3:]]
    assert bounds == [0.02, 1.0, 10.0]
    assert values(decoder.lines[0].get_ydata()) == [0.01, 0.015]  # 0 has no place on this scale


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "its first line is not step,term,part,share"),
        ("step,share\n0,1\n", "its first line is not step"),
        (HEAD + "0,cwd,backbone,0.2\n10,cw", "line 3 is no step, term, part and share"),
        (HEAD + "0,cwd,backbone,nan\n", "line 2 is no step"),
        (HEAD + "0,cwd,nose,1\n", "line 2 is no step"),
        (HEAD + "\x00\xff\n", "line 2 is no step"),
    ],
)
def test_a_damaged_file_is_one_line(text: str, fault: str, tmp_path: Path) -> None:
    (tmp_path / "gradients.csv").write_text(text)
    with pytest.raises(UserError, match=fault) as caught:
        read_gradients(tmp_path)
    assert "\n" not in str(caught.value)


def test_no_text_at_all_is_damaged_too(tmp_path: Path) -> None:
    (tmp_path / "gradients.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"gradients\.csv is damaged"):
        read_gradients(tmp_path)


def test_the_page_gets_plots_warnings_and_a_note_on_a_damaged_file(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    runs = load_runs([make_run("good"), make_run("bad"), make_run("without")])
    (runs[0].folder / "gradients.csv").write_text(ROWS)
    (runs[1].folder / "gradients.csv").write_text("nothing")
    plots = Plots()
    for run in runs:
        _gradients(plots, run, tmp_path / "plots")
    assert [plot.file for plot in plots.gradients] == ["gradients_good"]
    assert [text.partition(" is ")[0] for text in plots.gradient_warnings] == [
        "good: the gradient of kl",
        "good: the gradient of cwd",
    ]
    (note,) = plots.notes
    assert note.startswith("The gradients of bad are left out: ")
    assert "is damaged: its first line is not" in note
