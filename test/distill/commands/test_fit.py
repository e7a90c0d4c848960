"""``kd_seg fit``: what it learns from, whose files it keeps, and how it says what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from acdc_tree import write_acdc, write_png
from trained_runs import train, write_teacher_and_student

from distill.__main__ import main
from distill.checkpoints.student import load_student


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a trained teacher and the configuration of a student."""
    folder = tmp_path_factory.mktemp("runs")
    write_teacher_and_student(folder, write_acdc(folder / "acdc", frames=2, size=(40, 64)))
    train(folder, "teacher")
    return folder


def test_another_architecture_learns_from_the_teachers_logits(runs: Path, tmp_path: Path) -> None:
    arguments = ["--name", "pidnet", "--out", str(tmp_path), "--objective.features", "[]"]
    network = ["--student", "{model: pidnet_s}", "--objective.logits", "kl"]
    assert main(["fit", "--config", str(runs / "student.yaml"), *arguments, *network]) == 0
    student, config = load_student(tmp_path / "pidnet" / "best.ckpt")
    assert (config.student.model, type(student).__name__) == ("pidnet_s", "PidNet")


def test_run_folder_is_protected_and_resumable(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = ["--config", str(runs / "teacher.yaml")]
    assert main(["fit", *config]) == 2
    assert "--resume" in capsys.readouterr().err
    before = torch.load(runs / "teacher" / "last.ckpt", weights_only=True)
    assert main(["fit", *config, "--resume", "--training.epochs", "2"]) == 0
    after = torch.load(runs / "teacher" / "last.ckpt", weights_only=True)
    assert before["global_step"] > 0
    assert after["global_step"] == 2 * before["global_step"]
    assert main(["fit", *config, "--resume", "--name", "unknown"]) == 2
    assert "nothing to resume" in capsys.readouterr().err


def test_overwrite_deletes_nothing_but_an_earlier_run(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine" / "thesis.txt"
    mine.parent.mkdir()
    mine.write_text("years of work")
    config = ["--config", str(runs / "teacher.yaml"), "--overwrite"]
    assert main(["fit", *config, "--out", str(tmp_path), "--name", "mine"]) == 2
    assert "is not deleted" in capsys.readouterr().err
    assert mine.read_text() == "years of work"
    # A mistake elsewhere does not cost the run that was to be overwritten.
    assert main(["fit", *config, "--data.root", str(tmp_path / "nowhere")]) == 2
    assert (runs / "teacher" / "best.ckpt").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "--config", "nowhere.yaml"], "nowhere.yaml"),
        (["fit", "--config", "{runs}/teacher.yaml", "--trainin.epochs", "1"], "mean --training.epochs?"),
        (["fit", "--config", "{runs}/teacher.yaml", "--overwrite", "--data.root", "{runs}/teacher.yaml",
          "--name", "other"], "is not a folder"),
        (["fit", "--config", "{runs}/teacher.yaml", "--out", "{runs}/teacher.yaml"], "cannot be made"),
        (["fit", "--config", "{runs}/teacher.yaml", "--student", "{{model: pidnet-s}}"],
         "unknown model 'pidnet-s'; did you mean 'pidnet_s"),
        (["fit", "--config", "{runs}/student.yaml", "--student", "{{model: pidnet_s}}"],
         "the student has no map 'P4'; it has detail"),
    ],
)  # fmt: skip
def test_mistakes_end_in_one_line(
    runs: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([a.format(runs=runs) for a in arguments]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert message in lines[0]


def test_an_error_in_a_worker_process_is_one_line_too(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_acdc(tmp_path, frames=2, size=(20, 20))
    for path in root.glob("gt/*/train/*/*.png"):
        write_png(path, np.full((20, 20), 77, np.uint8))
    arguments = ["--data.root", str(root), "--name", "broken", "--data.workers", "1", "--check", "none"]
    assert main(["fit", "--config", str(runs / "teacher.yaml"), *arguments]) == 2
    printed = capsys.readouterr()
    error = printed.err.splitlines()[-1]
    assert error.startswith(f"error: {root}")
    assert printed.out.endswith("\n")  # and on a separate line after the progress bar
    assert "77" in error
