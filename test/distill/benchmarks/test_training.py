"""The training benchmark measures two implementations that agree, at the smallest size."""

from __future__ import annotations

import re

import pytest
import torch
from architectures import SMALL_BACKBONE

from distill.benchmarks.memory import peak_bytes
from distill.benchmarks.training import Step, check_same_loss, run
from distill.benchmarks.training_setting import Setting
from distill.config import ObjectiveConfig
from distill.training.objective import Objective

TINY = Setting(SMALL_BACKBONE, SMALL_BACKBONE, 8, 128, 2, half=False)


def test_both_implementations_find_the_same_loss() -> None:
    step = Step(TINY, torch.device("cpu"))
    check_same_loss(step)
    step.objective = Objective(ObjectiveConfig(logits="kl"))
    with pytest.raises(AssertionError):
        check_same_loss(step)


def test_a_step_changes_the_student_alone() -> None:
    step = Step(TINY, torch.device("cpu"))
    student = [p.detach().clone() for p in step.student.parameters()]
    teacher = [p.detach().clone() for p in step.frozen_teacher.teacher.parameters()]
    step()
    assert any(not torch.equal(a, b) for a, b in zip(student, step.student.parameters(), strict=True))
    assert all(
        torch.equal(a, b) for a, b in zip(teacher, step.frozen_teacher.teacher.parameters(), strict=True)
    )


def test_the_table_has_ratios_and_shares() -> None:
    result = run(0.01, TINY)
    text, (figures,) = result.text, result.figures
    assert len(re.findall(r"\d\.\d\d×", text)) == 2
    shares = [float(share) for share in re.findall(r"\| ([\d.]+) % \|", text)]
    assert sum(shares) == pytest.approx(100, abs=0.2)
    assert figures["peak_bytes"] > 0
    choices = [each["name"] for each in figures["variants"]]
    assert choices == ["immediate differentiation", "plain differentiation"]
    assert all(each["images_per_second"] > 0 and each["peak_bytes"] > 0 for each in figures["variants"])
    assert figures["checkpoint"]["bytes"] > 1e6
    assert re.search(r"A checkpoint of \d+ MB stops training for \d+ ms; written at once", text)


def test_peak_memory_sees_what_is_freed_again() -> None:
    def run() -> None:
        torch.ones(25_000_000)

    assert 90e6 < peak_bytes(run, torch.device("cpu")) < 150e6
