from __future__ import annotations

import json
from pathlib import Path

import pytest

from distill.__main__ import main
from distill.experiments.smoke import STEPS
from distill.experiments.thesis import EXPERIMENTS


def test_list_shows_the_thesis_and_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = {c: {"miou": 0.5} for c in ("fog", "night", "rain", "snow")}
    scores["full"] = {"miou": 0.712, "ece_batched16": 0.05}
    folder = tmp_path / "runs" / "j_rn18_cwd_border"
    folder.mkdir(parents=True)
    (folder / "best.metrics.json").write_text(json.dumps({"scores": scores}))
    monkeypatch.chdir(tmp_path)
    assert main(["experiments"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (at,) = [i for i, line in enumerate(lines) if line.startswith("j_rn18_cwd_border")]
    assert lines[at].split()[4:] == ["250", "71.2", "75.7", "54.6", "69.8", "74.6", "0.063"]
    assert lines[at + 1].split() == ["ours", "71.2", "50.0", "50.0", "50.0", "50.0", "0.050"]
    assert sum("Table" in line or "ch. 4.4.1" in line for line in lines) == len(EXPERIMENTS)


def test_all_experiments_run_for_a_few_steps(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["experiments", "--smoke"]) == 0
    assert f"{len(EXPERIMENTS)} experiments ran for {STEPS} steps each" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--run", "K"], "unknown experiment 'K'"),
        (["--run", "j_rn18_cdw_border"], "did you mean 'j_rn18_cwd_border'"),
        (["--run", "J", "--data.root", "nowhere", "--student.pretrained", "false"], "does not exist"),
        (["--data.root", "nowhere"], "belong to --run NAME"),
    ],
)
def test_mistakes_end_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["experiments", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_the_list_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "runs" / "a_mnv4_border"
    folder.mkdir(parents=True)
    (folder / "best.metrics.json").write_text(json.dumps({"scores": {"full": {"miou": 0.7}}}))
    monkeypatch.chdir(tmp_path)
    assert main(["experiments", "--json"]) == 0
    rows = {row["experiment"]: row for row in json.loads(capsys.readouterr().out)}
    assert len(rows) == len(EXPERIMENTS)
    row = rows["a_mnv4_border"]
    assert (row["where"], row["epochs"], row["thesis"]["night"]) == ("Table 4.6 A", 250, 52.0)
    assert (row["ours"]["miou"]["full"], row["ours"]["miou"]["fog"]) == (0.7, None)
    assert rows["j_rn18_cwd_border"]["ours"] is None
    assert rows["short_rn18_kl"]["thesis"] is None
