"""Students that are trained several at a time are those that are trained one after the other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_study import write_arm

from distill.experiments.parallel_study import run_seeds
from distill.experiments.study import Arm, Regime
from distill.scenes.dataset import write_dataset
from kd_seg_ros.common.errors import UserError


def scores(folder: Path) -> dict[str, float]:
    """Each run's negative log-likelihood, by the run's name."""
    files = sorted(folder.glob("*/last.metrics.json"))
    return {file.parent.name: json.loads(file.read_text())["scores"]["full"]["nll"] for file in files}


def test_students_of_several_processes_are_those_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    write_dataset(tmp_path / "data", train=4, val=4, size=(64, 64), seed=0)
    arms = [Arm(write_arm(tmp_path, name), name) for name in ("labels", "long")]
    regime = Regime("small", "", write_arm(tmp_path, "teacher"), arms[0], arms[1], ())
    overrides = {"data.root": str(tmp_path / "data")}

    for processes in (1, 2):
        own = {**overrides, "out": str(tmp_path / f"runs{processes}")}
        run_seeds(regime, arms, [3], own, processes=processes)

    expected = scores(tmp_path / "runs1")
    assert list(expected) == ["labels_seed3", "long_seed3", "teacher_seed0"]
    assert scores(tmp_path / "runs2") == pytest.approx(expected)

    # What is wrong with a student is told here, in the words of its process.
    changed = {**overrides, "out": str(tmp_path / "runs2"), "training.epochs": 2}
    for run in ("teacher_seed0", "long_seed3"):
        recorded = tmp_path / "runs2" / run / "config.yaml"
        recorded.write_text(recorded.read_text().replace("epochs: 1", "epochs: 2"))
    with pytest.raises(UserError, match=r"labels_seed3 holds another run, in which training\.epochs is 1"):
        run_seeds(regime, arms, [3], changed, processes=2)
