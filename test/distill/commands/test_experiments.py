from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from distill.__main__ import main
from distill.commands.experiments import config_file, find
from distill.config import load_config
from distill.experiments.smoke import STEPS, run_small, small
from distill.experiments.thesis import EXPERIMENTS
from kd_seg_ros.common.errors import UserError


def objective(name: str) -> tuple[str, str, list[tuple[str, Any]]]:
    config = load_config(config_file(find(name)))
    return (
        config.student.model,
        config.objective.logits,
        [(term.loss, term.maps) for term in config.objective.features],
    )


SIX = ("P4", "P8", "P16", "P32", "P64", "P128")
RN18, MNV4 = "swiftnet_resnet18", "swiftnet_mobilenetv4_conv_medium"


@pytest.mark.parametrize(
    ("letter", "model", "logits", "features"),
    [
        ("A", MNV4, "none", []),
        ("B", MNV4, "none", ["l2"]),
        ("C", MNV4, "kl", ["cwd"]),
        ("D", MNV4, "kl", ["l2"]),
        ("E", RN18, "none", []),
        ("F", RN18, "kl", ["l2"]),
        ("G", RN18, "none", ["lad"]),
        ("H", RN18, "none", ["l2"]),
        ("I", RN18, "kl", ["cwd"]),
        ("J", RN18, "none", ["cwd"]),
    ],
)
def test_table_4_6(letter: str, model: str, logits: str, features: list[str]) -> None:
    assert objective(letter) == (model, logits, [(loss, SIX) for loss in features])


def test_chapter_4_4_1() -> None:
    assert objective("short_rn18_kl") == (RN18, "kl", [])
    assert objective("short_rn18_kl_border") == (RN18, "kl_border", [])
    last = objective("short_rn18_kl_border_l2_prelogits")
    assert last == (RN18, "kl_border", [("l2", ("pre_logits",))])
    pidnet = load_config(config_file(find("short_pidnet_s_kl")))
    assert (pidnet.objective.semantic, pidnet.training.epochs) == ("pidnet", 100)
    assert load_config(config_file(find("short_rn18_kl"))).training.epochs == 50


def test_every_experiment_uses_table_4_5() -> None:
    for experiment in EXPERIMENTS:
        config = load_config(config_file(experiment))
        training, data = config.training, config.data
        assert (training.batch_size, training.accumulate, training.learning_rate) == (8, 2, 4e-4)
        assert (data.crop, data.working_scale, data.scale) == ((1080, 1080), 0.8, (0.5, 2.0))
        if not experiment.config.startswith("short"):
            assert training.epochs == 250


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


def test_a_smoke_test_logs_every_term(tmp_path: Path) -> None:
    from distill.experiments.smoke import OVERRIDES
    from distill.scenes.dataset import write_dataset

    write_dataset(tmp_path, train=4, val=4, size=(64, 96), seed=0)
    overrides = {**OVERRIDES, "data.root": str(tmp_path), "data.crop": [64, 64]}
    logged = run_small(small(load_config(config_file(find("F")), overrides)))
    assert {"train/semantic", "train/kl", "train/l2", "val/miou"} <= logged.keys()
    assert logged["train/loss"] == pytest.approx(
        logged["train/semantic"] + logged["train/kl"] + logged["train/l2"], rel=1e-4
    )


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


def test_a_name_or_a_letter_finds_it() -> None:
    assert find("j") is find("J") is find("j_rn18_cwd_border")
    with pytest.raises(UserError, match="A to J"):
        find("Z")
