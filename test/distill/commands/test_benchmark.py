"""The benchmark command of the offline half: its own suites and those of the vehicle half."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from architectures import SMALL_BACKBONE

import distill.benchmarks.models
from distill.__main__ import main
from distill.benchmarks.suites import SUITES, run_suite
from distill.models.catalogue import MODELS
from kd_seg_ros.benchmark import command
from kd_seg_ros.benchmark.result import Result


def test_models_suite_writes_its_table_between_the_marks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for size in ("CAMERA_SIZE", "CPU_SIZE"):
        monkeypatch.setattr(distill.benchmarks.models, size, (64, 96))
    small = replace(MODELS["fpn_lite_nano"], arguments={"backbone": SMALL_BACKBONE, "channels": 96})
    monkeypatch.setitem(MODELS, "fpn_lite_nano", small)
    document = tmp_path / "models.md"
    document.write_text("# Title\n<!-- models -->\nold\n<!-- /models -->\nend\n")
    options = ["benchmark", "--suite", "models", "--networks", "fpn_lite_nano", "--seconds", "0.01"]
    assert main([*options, "--write", str(document), "--json"]) == 0
    text = document.read_text()
    assert text.startswith("# Title\n<!-- models -->\n\n| model |")
    assert text.endswith("<!-- /models -->\nend\n")
    assert "| `fpn_lite_nano` | 1.755 | " in text
    assert "old" not in text
    (row,) = json.loads(capsys.readouterr().out)
    assert row["thesis_fps"] is None
    assert distill.benchmarks.models.layout([row | {"thesis_fps": 34}]).endswith("| – / – | – / – | 34 |")
    # Half precision: two bytes a parameter of the deployed network, and its graph.
    assert row["file_mb"] == pytest.approx(2 * row["deployed_parameters"] / 1e6, rel=0.3)
    assert "Measured on: " in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--networks", "pidnet_x"], "unknown model 'pidnet_x'; did you mean 'pidnet_"),
        (["--networks", "swiftnet"], "'swiftnet' alone names no network"),
        (["--write", "nowhere.md"], "--write nowhere.md cannot be read"),
        (["--seconds", "0"], "--seconds: must be above 0, not 0"),
        (["--frames", "5"], "--frames belongs to --suite soak, not models"),
    ],
)
def test_mistakes_end_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["benchmark", "--suite", "models", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_networks_belong_to_one_suite(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "--suite", "folding", "--networks", "pidnet_s"]) == 2
    assert "--networks belongs to --suite models or batches, not folding" in capsys.readouterr().err


@pytest.mark.parametrize("suite", [*SUITES, *command.SUITES])
def test_the_help_lists_the_suites_of_both_halves(suite: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["benchmark", "--help"])
    assert f"{suite}: " in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_is_run_by_its_module(suite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = Result(suite, [])
    monkeypatch.setattr(f"distill.benchmarks.{suite}.run", lambda *_: expected)
    assert run_suite(suite) is expected


def test_a_suite_of_the_vehicle_runs_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "run_suite", lambda args, _: Result(f"{args.suite} ran", [], passed=False))
    assert main(["benchmark", "--suite", "soak"]) == 1
    assert "soak ran" in capsys.readouterr().out


def test_a_document_without_marks_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = tmp_path / "models.md"
    document.write_text("no marks")
    assert main(["benchmark", "--suite", "models", "--write", str(document)]) == 2
    assert "has no marks <!-- models -->" in capsys.readouterr().err
    assert document.read_text() == "no marks"
