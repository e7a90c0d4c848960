"""The module that trains, without a trainer."""

from __future__ import annotations

import pytest

from distill.training.distillation import Distillation


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the module run without a trainer."""
    monkeypatch.setattr(Distillation, "global_step", 0)
    monkeypatch.setattr(Distillation, "current_epoch", 0)
    monkeypatch.setattr(Distillation, "log", lambda *_, **__: None)
    monkeypatch.setattr(Distillation, "log_dict", lambda *_, **__: None)
