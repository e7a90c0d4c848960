"""``kd_seg config``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from distill.__main__ import main
from distill.config import load_config


def test_what_is_printed_can_be_given_to_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["j_rn18_cwd_border", "--data.crop", "192,192", "--data.root", "acdc"]
    assert main(["config", *arguments]) == 0
    printed = capsys.readouterr().out
    path = tmp_path / "again.yaml"
    path.write_text(printed, encoding="utf-8")
    config = load_config(path)
    assert (config.name, config.data.crop, config.data.root) == ("j_rn18_cwd_border", (192, 192), "acdc")
    lines = printed.splitlines()
    assert [line.split("# ")[1] for line in lines if "crop:" in line] == ["command line"]
    (line,) = [line for line in lines if "loss: cwd" in line]
    assert line.endswith("# j_rn18_cwd_border.yaml:7")


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--json", "a_mnv4_border", "--seed", "5"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["config"]["seed"] == 5
    assert document["origins"]["seed"] == {"source": "command line"}
    assert Path(document["origins"]["data.root"]["source"]).name == "acdc_base.yaml"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["j_rn18_cdw_border"], "did you mean 'j_rn18_cwd_border'"),
        (
            ["j_rn18_cwd_border", "--data.cropp", "1,1"],
            "--data.cropp: unknown key 'data.cropp'; did you mean --",
        ),
        (
            ["j_rn18_cwd_border", "--training.epochs", "0"],
            "--training.epochs: input should be greater than 0",
        ),
    ],
)
def test_mistakes(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", *arguments]) == 2
    assert message in capsys.readouterr().err
