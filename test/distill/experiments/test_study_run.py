"""A study trains what is missing, keeps what is done, and resumes what was interrupted."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_study import write_arm

from distill.experiments import study_run
from distill.experiments.study import Arm, Regime
from distill.experiments.study_run import check_overrides, run_seed
from distill.experiments.study_table import rows_of
from distill.scenes.dataset import write_dataset
from kd_seg_ros.common.errors import UserError


def test_a_study_is_trained_once_and_finished_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_dataset(tmp_path / "data", train=4, val=4, size=(64, 64), seed=0)
    baseline = Arm(write_arm(tmp_path, "labels"), "labels")
    regime = Regime("small", "", write_arm(tmp_path, "teacher"), baseline, baseline, ())
    overrides = {"out": str(tmp_path / "runs"), "data.root": str(tmp_path / "data")}
    run_seed(regime, [], 1, overrides)
    (teacher,) = rows_of(regime, None, overrides)
    assert (teacher.title, teacher.seeds, teacher.steps) == ("the teacher", (0,), 2)
    other = "holds another run, in which training.epochs is 1"
    with pytest.raises(UserError, match=other):  # its scores are not those of the study that was asked for
        rows_of(regime, None, {**overrides, "training.epochs": 2})

    # What is done is left alone; a run interrupted after its training is evaluated and not trained again.
    done: list[tuple[str, str, dict[str, bool]]] = []
    monkeypatch.setattr(study_run, "fit", lambda config, **how: done.append(("fit", config.name, how)))
    monkeypatch.setattr(study_run, "_evaluate", lambda config, _: done.append(("evaluate", config.name, {})))
    run_seed(regime, [], 1, overrides)
    assert done == []
    run = tmp_path / "runs" / "teacher_seed0"
    (run / "last.metrics.json").unlink()
    run_seed(regime, [], 1, overrides)
    assert done == [("evaluate", "teacher_seed0", {})]

    # Interrupted in training, it is resumed; what was never begun starts from its first step.
    done.clear()
    (run / "training_cost.json").unlink()
    run_seed(regime, [baseline], 1, overrides)
    resumed, started = {"resume": True, "overwrite": False}, {"resume": False, "overwrite": True}
    assert [(what, name) for what, name, _ in done] == [
        ("fit", "teacher_seed0"),
        ("evaluate", "teacher_seed0"),
        ("fit", "labels_seed1"),
        ("evaluate", "labels_seed1"),
    ]
    assert [done[0][2], done[2][2]] == [{**how, "progress_bar": False} for how in (resumed, started)]

    # A run of other values is neither kept nor resumed.
    with pytest.raises(UserError, match=f"teacher_seed0 {other}"):
        run_seed(regime, [baseline], 1, {**overrides, "training.epochs": 2})


@pytest.mark.parametrize("key", ["seed", "student.channels", "teacher", "objective.logits"])
def test_what_tells_the_arms_apart_cannot_be_set_for_all(key: str) -> None:
    check_overrides({"training.epochs": 2, "data.root": "x", "out": "y"})
    with pytest.raises(UserError, match=f"--{key}: the experiments of a study differ in it"):
        check_overrides({key: 1})
