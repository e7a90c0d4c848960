"""A run that is killed and resumed ends with bitwise the weights of one that never stopped."""

from __future__ import annotations

import errno
import math
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from acdc_tree import write_acdc
from architectures import SMALL_BACKBONE

from distill.__main__ import main
from distill.checkpoints.lightning_io import BEST, LAST, PREVIOUS, AtomicCheckpointIO, checkpoint_to_resume
from distill.config import parse_config
from distill.training.distillation import Distillation
from distill.training.resume import check_same_optimiser
from kd_seg_ros.common.errors import UserError

EPOCHS = 4
QUICK = ["--training.ema", "null", "--data.workers", "0"]
"""Of the tests in which neither averaged weights nor worker processes play a part."""


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment in which all has a state: augmentation, workers, schedule, Adam, averaged weights."""
    folder = tmp_path_factory.mktemp("runs")
    values = {
        "name": "whole",
        "out": str(folder),
        "data": {
            "root": str(write_acdc(folder / "acdc", frames=1, size=(40, 64))),
            "crop": [40, 40],
            "workers": 1,
        },
        "student": {"backbone": SMALL_BACKBONE, "channels": 8},
        "training": {
            "epochs": EPOCHS,
            "batch_size": 2,
            "accumulate": 1,
            "learning_rate": 0.01,
            "ema": 0.9,
            "gradient_clip": 1.0,
        },
    }
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    return torch.load(checkpoint, weights_only=True)["state_dict"]


@pytest.fixture(scope="module")
def whole_run(experiment: Path) -> Path:
    """The folder of a run that never stopped. Tests change a copy of it."""
    assert main(["fit", "--config", str(experiment)]) == 0
    return experiment.parent / "whole"


KILLED = """
import os, signal, sys
from distill.__main__ import main
from distill.training.distillation import Distillation

step = Distillation.training_step

def killed_step(self, batch, index):
    if self.current_epoch == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, batch, index)

Distillation.training_step = killed_step
main(["fit", *sys.argv[1:]])
"""
"""A run that is killed in its third epoch, with no chance to clean up."""


def kill_after_two_epochs(experiment: Path, name: str) -> None:
    command = [sys.executable, "-c", KILLED, "--config", str(experiment), "--name", name]
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_a_killed_run_resumes_to_the_same_bits(
    experiment: Path, whole_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kill_after_two_epochs(experiment, "killed")
    assert main(["fit", "--config", str(experiment), "--name", "killed", "--resume"]) == 0
    assert "resuming from" in capsys.readouterr().err
    whole = weights(whole_run / LAST)
    killed = weights(experiment.parent / "killed" / LAST)
    assert whole.keys() == killed.keys()
    assert all(torch.equal(whole[key], killed[key]) for key in whole)


def test_a_torn_checkpoint_is_passed_over_with_a_message(
    experiment: Path, whole_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its last one cut in half, the run resumes from the one before, to the same bits."""
    options = ["--config", str(experiment), "--out", str(tmp_path)]
    folder = tmp_path / "whole"
    shutil.copytree(whole_run, folder)
    before = weights(folder / LAST)
    content = (folder / LAST).read_bytes()
    (folder / LAST).write_bytes(content[: len(content) // 2])
    capsys.readouterr()
    assert main(["fit", *options, "--resume"]) == 0
    printed = capsys.readouterr().err
    assert f"warning: {folder / LAST} is cut short" in printed
    after = weights(folder / LAST)
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_without_a_whole_checkpoint_there_is_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"last\.ckpt does not exist"):
        checkpoint_to_resume(tmp_path)
    (tmp_path / BEST).write_bytes(b"torn")
    with pytest.raises(UserError, match="every checkpoint is damaged"):
        checkpoint_to_resume(tmp_path)


def test_a_full_disk_keeps_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints = AtomicCheckpointIO()
    for epoch in (0, 1):
        checkpoints.save_checkpoint({"epoch": epoch}, tmp_path / LAST)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(UserError, match="no space left on device"):
        checkpoints.save_checkpoint({"epoch": 2}, tmp_path / LAST)
    assert sorted(path.name for path in tmp_path.iterdir()) == [LAST, PREVIOUS]
    assert checkpoints.load_checkpoint(tmp_path / LAST) == {"epoch": 1}
    assert checkpoints.load_checkpoint(tmp_path / PREVIOUS) == {"epoch": 0}


@pytest.mark.parametrize(("number", "epoch"), [(signal.SIGTERM, 0), (signal.SIGINT, 1)])
def test_stopped_by_a_signal(
    experiment: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: signal.Signals,
    epoch: int,
) -> None:
    step = Distillation.training_step

    def interrupted_step(self: Distillation, batch: Any, index: int) -> Any:
        if self.current_epoch == epoch:
            os.kill(os.getpid(), number)
        return step(self, batch, index)

    monkeypatch.setattr(Distillation, "training_step", interrupted_step)
    # A shell's background job is deaf to SIGINT, and Lightning leaves it so.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(SystemExit) as end:
            main(["fit", "--config", str(experiment), "--name", number.name])
    finally:
        signal.signal(signal.SIGINT, before)
    assert end.value.code == 128 + number  # never 0, which says that the run has finished
    saved = "--resume resumes from last.ckpt" if epoch else "nothing is saved yet"
    assert f"stopped in epoch {epoch} by {number.name}: {saved}" in capsys.readouterr().err


def test_what_has_changed_since_is_told_or_refused(
    experiment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["fit", "--config", str(experiment), "--name", "changed", *QUICK]
    assert main([*command, "--training.epochs", "2"]) == 0
    capsys.readouterr()
    resume = [*command, "--resume"]
    assert main([*resume, "--training.epochs", "1"]) == 2
    assert "has already done 2 epochs, and training.epochs is 1: give more" in capsys.readouterr().err
    assert main([*resume, "--training.epochs", "3", "--student.channels", "16"]) == 2
    assert "has another network or other feature losses" in capsys.readouterr().err
    assert main([*resume, "--training.epochs", "3", "--student.channels", "8", "--objective.gamma", "2"]) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: not as")]
    assert any(" objective.gamma: " in line and line.endswith(" → 2.0") for line in told), told
    assert main([*resume, "--training.epochs", "3", "--objective.gamma", "2", "--student.channels", "8"]) == 0
    assert "warning: not as" not in capsys.readouterr().err, "nothing has changed since"


def test_a_longer_run_and_another_rate_have_a_schedule_of_their_own(experiment: Path) -> None:
    """The rate falls along one cosine over all epochs, from where the steps done stand on it.

    The first run stops after the first of three epochs, and its rate is that of a third of the way.
    """
    command = ["fit", "--config", str(experiment), "--name", "longer", *QUICK]
    assert main([*command, "--training.epochs", "3", "--training.stop_after", "1"]) == 0
    first = torch.load(experiment.parent / "longer" / LAST, weights_only=True)
    share = (1 + math.cos(math.pi / 3)) / 2
    assert first["lr_schedulers"][0]["_last_lr"] == pytest.approx([0.01 * share, 0.0025 * share])
    assert first["epoch"] == 0
    assert main([*command, "--resume", "--training.epochs", "4", "--training.learning_rate", "0.002"]) == 0
    last = torch.load(experiment.parent / "longer" / LAST, weights_only=True)
    (schedule,) = last["lr_schedulers"]
    assert schedule["last_epoch"] == last["global_step"]
    assert schedule["base_lrs"] == [0.002, 0.0005]
    assert schedule["_last_lr"] == pytest.approx([0, 0], abs=1e-9)
    before = torch.load(experiment.parent / "longer" / PREVIOUS, weights_only=True)
    done = before["global_step"] / last["global_step"]
    share = (1 + math.cos(math.pi * done)) / 2
    assert before["lr_schedulers"][0]["_last_lr"] == pytest.approx([0.002 * share, 0.0005 * share])


def test_another_optimiser_is_refused() -> None:
    values: dict[str, Any] = {"name": "x", "data": {"root": "."}, "student": {"backbone": "resnet18"}}
    state = {"hyper_parameters": {"config": values | {"training": {"optimiser": "sgd"}}}}
    with pytest.raises(UserError, match=r"last\.ckpt was trained with training\.optimiser sgd, not adam"):
        check_same_optimiser(Path(LAST), state, parse_config(values, "here"))
    check_same_optimiser(Path(LAST), state, parse_config(values | {"training": {"optimiser": "sgd"}}, "here"))


def test_one_value_a_channel_is_one_line(experiment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--training.batch_size", "1", "--data.crop", "[32, 32]", "--data.working_scale", "1"]
    assert main(["fit", "--config", str(experiment), "--name", "single", *options]) == 2
    assert "raise training.batch_size or data.crop" in capsys.readouterr().err


def test_a_link_in_place_of_the_run_folder_is_one_line(
    experiment: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "config.yaml").write_text("name: linked")
    (experiment.parent / "linked").symlink_to(tmp_path / "elsewhere")
    assert main(["fit", "--config", str(experiment), "--name", "linked", "--overwrite"]) == 2
    error = capsys.readouterr().err
    assert "linked cannot be made: " in error
    assert "None" not in error
