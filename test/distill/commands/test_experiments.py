from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from evaluated import write_run

from distill.__main__ import main
from distill.config import load_config
from distill.config.shipped import shipped_configs
from distill.experiments import results
from distill.experiments.smoke import STEPS
from distill.experiments.thesis import EXPERIMENTS, find_experiment


def write_ours(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Write a run of an experiment, evaluated on a few images; return its scores over all of them."""
    run = write_run(folder / "runs" / name, name=name)
    config = load_config(find_experiment(name).file).model_dump(mode="json")
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.setattr(results, "ACDC_VAL", {"fog": 4, "night": 4})
    monkeypatch.chdir(folder)
    document = json.loads((run / "best.metrics.json").read_text())
    scores: dict[str, Any] = document["scores"]["full"]
    return scores


def test_list_shows_the_thesis_and_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    full = write_ours(tmp_path, "j_rn18_cwd_border", monkeypatch)
    damaged = tmp_path / "runs" / "e_rn18_border" / "best.metrics.json"
    damaged.parent.mkdir()
    damaged.write_text("{")
    assert main(["experiments"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (at,) = [i for i, line in enumerate(lines) if line.startswith("j_rn18_cwd_border")]
    assert lines[at].split()[4:] == ["250", "71.2", "75.7", "54.6", "69.8", "74.6", "6.3"]
    reached = lines[at + 1].split()
    assert (reached[:2], reached[-1]) == (
        ["ours", f"{100 * full['miou']:.1f}"],
        f"{100 * full['ece_batched16']:.1f}",
    )
    assert any("e_rn18_border/best.metrics.json is no JSON" in line for line in lines)
    names = tuple(f"{experiment.name} " for experiment in EXPERIMENTS)
    assert sum(line.startswith(names) for line in lines) == len(EXPERIMENTS)


def test_all_experiments_run_for_a_few_steps(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["experiments", "--smoke"]) == 0
    survey = [name for name in shipped_configs() if name.startswith(("survey_", "fpn_lite_"))]
    assert len(survey) > 15
    count = len(EXPERIMENTS) + len(survey)
    assert f"{count} experiments ran for {STEPS} steps each" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--run", "K"], "unknown experiment 'K'"),
        (["--run", "j_rn18_cdw_border"], "did you mean 'j_rn18_cwd_border'"),
        (
            ["--run", "J", "--data.root", "nowhere", "--student.pretrained", "false", "--seed", "3"],
            "does not exist",
        ),
        (["--data.root", "nowhere"], "belong to --run NAME"),
        (["--student-seeds", "1"], "belong to --run and --table of camvid"),
        (["--run", "J", "--processes", "2"], "belong to --run and --table of camvid"),
        (["--run", "camvid", "--resume"], "--run camvid resumes by itself"),
        (["--run", "camvid_fwe"], "did you mean 'camvid_few'"),
        (["--run", "camvid", "--arms", "camvid_few_kll"], "did you mean 'camvid_few_kl'"),
        (["--run", "scenes", "--seed", "3"], "--seed: the experiments of a study differ in it"),
        (["--run", "scenes", "--data.root", "nowhere", "--training.devices", "1"], "does not exist"),
    ],
)
def test_mistakes_end_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["experiments", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_the_table_of_a_study_has_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "page.md").write_text("<!-- camvid_few -->\nold\n<!-- /camvid_few -->\n")
    for name, skill in (("camvid_few_long", 1.0), ("camvid_few_kl", 2.0)):
        for seed in (0, 1):
            run = write_run(tmp_path / "runs" / "camvid" / f"{name}_seed{seed}", skill=skill, seed=seed)
            for file in run.glob("best.*"):
                file.rename(file.with_name(file.name.replace("best", "last")))
            teacher = {"teacher.checkpoint": "runs/camvid/camvid_few_teacher_seed0/last.ckpt"}
            own = {"name": run.name, "seed": seed} | (teacher if name.endswith("kl") else {})
            config = load_config(shipped_configs()[name], own).model_dump(mode="json")
            (run / "config.yaml").write_text(yaml.safe_dump(config))
    assert main(["experiments", "--table", "camvid_few", "--write", "page.md"]) == 0
    table = capsys.readouterr().out
    longer, taught = [line.split("|") for line in table.splitlines() if line.startswith("| 40 labels")]
    assert (longer[1].strip(), longer[5].strip()) == ("40 labels, longer", "")
    assert taught[4].strip() == ""  # no baseline of equal steps was run
    assert re.fullmatch(r"\+\d+\.\d \(seeds .+ … .+; images \+.+ … \+.+\)", taught[5].strip())
    assert taught[5] in (tmp_path / "page.md").read_text()
    assert main(["experiments", "--table", "camvid_few", "--student-seeds", "1", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["camvid_few"]
    assert [row["title"] for row in rows] == ["40 labels, longer", "40 labels + KL on 367 images"]
    assert (rows[1]["seeds"], rows[1]["gain_at_equal_cost"]["seeds"]) == ([1], 1)


def test_the_list_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    full = write_ours(tmp_path, "a_mnv4_border", monkeypatch)
    config = tmp_path / "runs" / "a_mnv4_border" / "config.yaml"
    config.write_text(config.read_text().replace("gamma: 0.5", "gamma: 0.75"))
    assert main(["experiments", "--json"]) == 0
    rows = {row["experiment"]: row for row in json.loads(capsys.readouterr().out)}
    assert len(rows) == len(EXPERIMENTS)
    row = rows["a_mnv4_border"]
    assert (row["where"], row["epochs"], row["thesis"]["night"]) == ("Table 4.6 A", 250, 52.0)
    assert row["ours"]["miou"]["full"] == full["miou"]
    assert row["differs"] == ["objective.gamma is 0.75, not 0.5"]
    assert rows["j_rn18_cwd_border"]["differs"] == []
    assert rows["j_rn18_cwd_border"]["ours"] is None
    assert rows["short_rn18_kl"]["thesis"] is None
