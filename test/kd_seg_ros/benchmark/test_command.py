from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest

from kd_seg_ros.benchmark import command, soak_suite
from kd_seg_ros.benchmark.__main__ import main
from kd_seg_ros.benchmark.process_usage import Usage
from kd_seg_ros.benchmark.result import Result, table

pytestmark = pytest.mark.usefixtures("_isolated")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--suite", "soak", "--frames", "0"], "--frames: must be a whole number, at least 1, not 0"),
        (["--suite", "node", "--seconds", "-1"], "--seconds: must be above 0, not -1"),
        (["--suite", "node", "--hertz", "nan"], "--hertz: 'nan' is not a number"),
        (["--suite", "node", "--model", "a", "b"], "--model: --suite node takes one file, not 2"),
        (["--suite", "node", "--model", "nowhere.onnx"], "nowhere.onnx: no such model file"),
        (["--suite", "node", "--plot", "a.png"], "--plot belongs to --suite soak, not node"),
        (["--suite", "gpu", "--work", "1", "0", "--peak", "1", "1"], "--work: must be above 0, not 0"),
        (["--suite", "gpu", "--work", "1", "1"], "--work and --peak belong together"),
        (["--suite", "node", "--write", "nowhere.md"], "--write nowhere.md cannot be read"),
        (["--suite", "soak", "--plot", "nowhere/a.png"], "--plot nowhere/a.png: there is no such folder"),
    ],
)
def test_mistakes_end_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert message in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--suite", "node", "--size", "1080"],
            "must be HEIGHTxWIDTH in pixels, such as 1080x1920, not 1080",
        ),
        (
            ["--suite", "node", "--size", "0x64"],
            "must be HEIGHTxWIDTH in pixels, such as 1080x1920, not 0x64",
        ),
        (["--suite", "nodes"], "there is no 'nodes'; did you mean 'node'?"),
    ],
)
def test_arguments_that_are_none(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_without_onnx_the_tiny_model_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert main(["--suite", "soak"]) == 2
    assert "pip install onnx, or give --model" in capsys.readouterr().err


def test_results_are_printed_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results = iter([Result("| a |", [{"a": 1, "b": math.nan}]), Result("| b |", [], passed=False)])
    monkeypatch.setattr(command, "run_suite", lambda *_: next(results))
    document = tmp_path / "benchmarks.md"
    document.write_text("<!-- soak -->\n<!-- /soak -->\n")
    arguments = ["--suite", "soak", "--write", str(document)]
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"a": 1, "b": None}]
    assert "| a |" in document.read_text()
    assert main(arguments) == 1, "a soak that is not flat"
    assert "| b |" in capsys.readouterr().out


def test_table() -> None:
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | ---: |\n| 1 | 2 |"


def test_growth_after_the_warm_up_decides() -> None:
    """Memory that fills up in the first fifth is none; a kilobyte per frame after that is."""

    def samples(leak: float) -> list[tuple[int, Usage]]:
        memory = [100 + min(frame, 2000) / 100 + leak * frame for frame in range(0, 20_000, 100)]
        return [(100 * n, Usage(0.0, mb, mb, 20, 30)) for n, mb in enumerate(memory)]

    flat, leaking = soak_suite.growths(samples(0)), soak_suite.growths(samples(1 / 1024))
    assert all(abs(flat[key]) < quantity.allowed for key, quantity in soak_suite.QUANTITIES.items())
    assert leaking["private_mb"] == pytest.approx((19_900 - 4000) / 1024)
    assert leaking["threads"] == pytest.approx(0, abs=1e-9)
