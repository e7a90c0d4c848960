"""The command that tells a difference from chance."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from evaluated import write_run

from distill.__main__ import main
from distill.commands.compare import row, worse
from distill.evaluation.bootstrap import Difference


def test_a_better_model_is_called_better(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    worse = write_run(tmp_path / "a", skill=0.5, images=24, name="a")
    better = write_run(tmp_path / "b", skill=3, images=24, name="b")
    command = ["compare", str(worse), str(better), "--draws", "500"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"A: a ({worse}")
    lines = [line for line in printed.splitlines() if "mIoU" in line]
    assert ["full" in lines[0], "fog" in lines[1], "night" in lines[2]] == [True] * 3
    assert all("B is better" in line for line in lines)
    assert main([*command, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["models"][1]["name"] == "b"
    full = json.loads((better / "best.metrics.json").read_text())["scores"]["full"]
    assert document["differences"]["full"]["miou"]["second"] == pytest.approx(full["miou"])
    assert document["differences"]["full"]["ece"]["second"] == pytest.approx(full["ece"])


def test_a_model_of_the_same_skill_could_be_chance(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [str(write_run(tmp_path / str(seed), seed=seed, images=30)) for seed in (1, 2)]
    for by, full, fog in (
        ("image", "could be chance", "could be chance"),
        ("sequence", "could be chance", "too few to tell: 8"),
    ):
        assert main(["compare", *runs, "--draws", "500", "--by", by]) == 0
        lines = [line for line in capsys.readouterr().out.splitlines() if "mIoU" in line]
        assert (full in lines[0], fog in lines[1]) == (True, True)


def test_a_lower_ece_is_better() -> None:
    assert row(Difference(0.10, 0.05, -0.06, -0.04, 0.0, 50), higher_is_better=False) == [
        "10.00",
        "5.00",
        "-5.00",
        "-6.00 … -4.00",
        "B is better",
    ]
    assert row(Difference(0.10, 0.05, -0.06, -0.04, 0.0, 50), higher_is_better=True)[-1] == "A is better"


def test_a_worse_model_fails_where_that_was_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = str(write_run(tmp_path / "good", skill=3, images=24))
    bad = str(write_run(tmp_path / "bad", skill=0.5, images=24))
    command = ["compare", good, bad, "--draws", "100"]
    assert main(command) == 0
    assert main([*command, "--fail-if-worse"]) == 1
    assert "B is worse by" in capsys.readouterr().err
    assert main([*command, "--fail-if-worse", "99"]) == 0
    assert main(["compare", bad, good, "--draws", "100", "--fail-if-worse"]) == 0
    assert main(["compare", good, good + "/best.metrics.json", "--draws", "100", "--fail-if-worse"]) == 0


@pytest.mark.parametrize(
    ("first", "second", "points", "status"),
    [(0.7, 0.69, 0.0, 1), (0.7, 0.69, 1.5, 0), (0.7, 0.71, 0.0, 0), (0.7, 0.5, None, 0)],
)
def test_how_much_worse_is_allowed(first: float, second: float, points: float | None, status: int) -> None:
    assert worse(Difference(first, second, -0.1, 0.1, 0.5, 50), points) == status


def test_mistakes_end_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [str(write_run(tmp_path / "a")), str(write_run(tmp_path / "b", images=6))]
    for arguments, message in (
        (runs, "they are over 8 and 6 images"),
        ([*runs, "--draws", "5"], "at least 100"),
    ):
        assert main(["compare", *arguments]) == 2
        assert message in capsys.readouterr().err
