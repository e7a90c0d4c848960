"""Students that are trained several at a time are those that are trained one after the other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from process_children import all_end, children_of
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


STUDY = """
import sys
from distill.experiments.parallel_study import run_seeds
from distill.experiments.study import Arm, Regime

if __name__ == "__main__":
    teacher, student, data, out = sys.argv[1:]
    arms = [Arm(student, "student")]
    regime = Regime("small", "", teacher, arms[0], arms[0], ())
    run_seeds(regime, arms, [1, 2, 3], {"data.root": data, "out": out}, processes=2)
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for processes in /proc")
def test_ctrl_c_ends_all_students(tmp_path: Path) -> None:
    """The terminal tells all processes: none may go on with its student, or begin with the next."""
    write_dataset(tmp_path / "data", train=4, val=4, size=(64, 64), seed=0)
    script, out = tmp_path / "study.py", tmp_path / "runs"
    script.write_text(STUDY)
    command = [
        sys.executable,
        str(script),
        write_arm(tmp_path, "teacher"),
        write_arm(tmp_path, "student", 9999),
    ]
    command += [str(tmp_path / "data"), str(out)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=environment, start_new_session=True) as program:
        students = [out / "student_seed1", out / "student_seed2"]
        end = time.monotonic() + 300
        while not all((folder / "last.ckpt").is_file() for folder in students):
            assert program.poll() is None
            assert time.monotonic() < end
            time.sleep(0.1)
        processes = children_of(program.pid)
        os.killpg(program.pid, signal.SIGINT)
        assert program.wait(120) != 0
    assert all_end(processes)
    assert not (out / "student_seed3").exists()
