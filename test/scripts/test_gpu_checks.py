"""The script of the GPU's checks, as far as it goes without a GPU."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from distill.benchmarks import gpu_correctness
from distill.benchmarks.one_convolution import Kind, write_model
from kd_seg_ros.benchmark import gpu_suite

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "gpu_checks.py"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu_checks", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "gpu_checks", module)
    spec.loader.exec_module(module)
    return module


def printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return the results that a part has printed."""
    mark = "gpu_checks result: "
    lines = capsys.readouterr().out.splitlines()
    return [json.loads(line[len(mark) :]) for line in lines if line.startswith(mark)]


def test_without_a_gpu_it_says_so_in_a_line_and_fails(tmp_path: Path) -> None:
    environment = {"PATH": str(tmp_path)}  # without nvidia-smi
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], env=environment, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 2
    assert done.stderr == "error: gpu_checks needs an NVIDIA GPU, and nvidia-smi finds none\n"
    assert not list(tmp_path.iterdir())


def test_each_part_survives_the_failure_of_another(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One part gives a result and dies, one takes too long, one is well; each in a process of its own."""
    fake = tmp_path / "fake.py"
    fake.write_text(
        "import json, sys, time\n"
        "part = sys.argv[sys.argv.index('--part') + 1]\n"
        "def give(text, last): print('gpu_checks result: ' + json.dumps("
        "{'text': text, 'passed': True, 'last': last}), flush=True)\n"
        "give(part + ' began', False)\n"
        "if part == 'correctness': sys.exit(3)\n"
        "if part == 'engine': time.sleep(60)\n"
        "give('', True)\n"
    )
    monkeypatch.setattr(script, "nvidia_gpu", lambda: "a card")
    monkeypatch.setattr(script, "__file__", str(fake))
    limits = {"correctness": 30, "engine": 6, "networks": 30}
    parts = [script.Part(name, f"Part {name}", limit) for name, limit in limits.items()]
    monkeypatch.setattr(script, "PARTS", parts)
    out = tmp_path / "report.md"
    assert script.main(["--out", str(out), "--parts", *limits]) == 1
    text = out.read_text()
    assert "Failed: Part correctness, Part engine." in text
    assert "correctness began\n\nFAILED: ended with status 3." in text
    assert "engine began\n\nFAILED: not finished after 6 s." in text
    assert text.rstrip().endswith("## Part networks\n\nnetworks began")
    assert capsys.readouterr().err.count("FAILED") == 2


def test_no_time_left_is_said(script: ModuleType, tmp_path: Path) -> None:
    args = script.parse(["--out", str(tmp_path / "report.md"), "--limit", "1"])
    assert script.run_all(args, script.PARTS[:1], tmp_path) == 1
    assert "Not run: no time was left." in args.out.read_text()


def test_correctness_runs_on_the_cpu_too(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu_correctness, "CALIBRATIONS", {"none": None})
    monkeypatch.setattr(gpu_correctness, "SIZE", (45, 61))
    write_model(tmp_path / "pidnet_s.onnx", Kind())
    assert script.run_part("correctness", tmp_path, 0.1, "cpu") == 0
    (result,) = printed(capsys)
    assert result["passed"]
    assert "| pidnet_s.onnx | no | 100.000% | 100.000% | agrees |" in result["text"]


def test_batches_through_the_engine_run_on_the_cpu_too(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in script.BATCHED:
        write_model(tmp_path / f"{name}_batch.onnx", Kind(batch=True, half=False))
    assert script.run_part("batched-engine", tmp_path, 0.0, "cpu") == 0
    (result,) = printed(capsys)
    assert result["passed"]
    for name in script.BATCHED:
        (row,) = [line for line in result["text"].splitlines() if line.startswith(f"| `{name}_batch` |")]
        assert row.endswith("| 100.000% |")


def test_a_network_without_a_file_does_not_stop_the_next(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ways = {gpu_suite.BY_DEFAULT: {"provider": "cpu"}, "without kernels": {"provider": "cpu"}}
    for name, value in {"VARIANTS": ways, "LEAST": 3, "nvidia_gpu": lambda: "a card"}.items():
        monkeypatch.setattr(gpu_suite, name, value)
    write_model(tmp_path / "pidnet_s.onnx", Kind())
    text, passed = script.engine_table(tmp_path, ("hrnetv2_w48", "pidnet_s"), 0.0, in_full=False)
    assert passed
    assert not text
    missing, measured = printed(capsys)
    assert not missing["passed"]
    assert missing["text"] == "hrnetv2_w48: there is no file."
    assert "| pidnet_s.onnx | without kernels |" in measured["text"]
