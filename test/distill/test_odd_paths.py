"""Paths that hold no file: every command says so in one line, and waits for nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from distill.__main__ import main

COMMANDS: dict[str, list[str]] = {
    "config": ["config", "PATH"],
    "evaluate": ["evaluate", "--model", "PATH"],
    "compare": ["compare", "PATH", "PATH"],
    "report": ["report", "PATH", "--out", "OUT"],
    "import": ["import", "PATH", "--network", "pidnet_s", "--out", "OUT/o.ckpt"],
    "export": ["export", "--model", "PATH", "--out", "OUT/o.onnx"],
    "wrap": ["wrap", "--huggingface", "PATH", "--out", "OUT/o.onnx"],
    "check-data": [
        "check-data",
        "--dataset",
        "folder",
        "--images",
        "PATH",
        "--labels",
        "PATH",
        "--classes",
        "PATH",
    ],
    "stats": ["stats", "--dataset", "acdc", "--root", "PATH"],
    "make-bag": ["make-bag", "PATH", "--out", "OUT/bag"],
    "segment-bag": ["segment-bag", "PATH", "--provider", "cpu", "--out", "OUT/bag"],
}
NAMES = ("pipe", "loop", "loop/inside", "x" * 300, "new\nline", os.fsdecode(b"no\xff\xfe"), "-dash", "a b/c")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a pipe that nobody writes to, and a link to itself."""
    found = tmp_path_factory.mktemp("odd")
    os.mkfifo(found / "pipe")
    (found / "loop").symlink_to(found / "loop")
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_no_path_hangs_or_ends_in_a_traceback(
    command: str, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in NAMES:
        words = [word.replace("OUT", str(tmp_path)) for word in COMMANDS[command]]
        words = [str(folder / name) if word == "PATH" else word for word in words]
        try:
            status = main(words)
        except SystemExit as end:
            status = int(end.code or 0)
        errors = capfd.readouterr().err
        assert status == 2, (name, errors)
        assert errors.count("error: ") == 1, (name, errors)
        assert "Traceback" not in errors, (name, errors)
