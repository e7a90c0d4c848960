"""The measurement of a network's first training step, on a CPU."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
import torch

from distill.benchmarks import first_step
from distill.benchmarks.training_setting import Setting

TINY = Setting("resnet10t", "none", 8, 128, 2, half=False)


def test_each_step_is_timed_and_the_settings_are_given_back() -> None:
    before = torch.backends.cudnn.enabled, torch.backends.cudnn.benchmark
    seconds = first_step.seconds_of(first_step.Way("", benchmark=True, cudnn=False), TINY)
    assert len(seconds) == 1 + first_step.STEPS
    assert min(seconds) > 0
    assert (torch.backends.cudnn.enabled, torch.backends.cudnn.benchmark) == before


def test_a_way_that_hangs_or_fails_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[subprocess.CompletedProcess[str] | subprocess.TimeoutExpired] = [
        subprocess.CompletedProcess("", 0, json.dumps([2, 12.5, 0.3, 0.25]), ""),
        subprocess.TimeoutExpired("", 40),
        subprocess.CompletedProcess("", 1, "", "Traceback\nRuntimeError: out of memory"),
    ]
    environments = []

    def run(*_: Any, env: dict[str, str], **__: Any) -> subprocess.CompletedProcess[str]:
        environments.append(env.get("CUDA_MODULE_LOADING"))
        answer = answers[len(environments) - 1]
        if isinstance(answer, subprocess.TimeoutExpired):
            raise answer
        return answer

    eager = first_step.Way("eager", environment=(("CUDA_MODULE_LOADING", "EAGER"),))
    monkeypatch.setattr(first_step, "WAYS", (first_step.WAYS[0], eager, first_step.Way("last")))
    monkeypatch.setattr(first_step.subprocess, "run", run)
    monkeypatch.delenv("CUDA_MODULE_LOADING", raising=False)
    assert [*first_step.sentences()] == [
        "as `fit` takes it: 2.0 s to make it, first step 12.50 s, later ones 0.250 s.",
        "eager: not finished after 40 s.",
        "last: failed, RuntimeError: out of memory.",
    ]
    assert environments == [None, "EAGER", None]
