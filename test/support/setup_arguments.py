"""What setup.py gives to setuptools."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def setup_arguments(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run setup.py up to its call of ``setup``; return the arguments of that call."""
    given: dict[str, Any] = {}
    monkeypatch.setattr("setuptools.setup", given.update)
    runpy.run_path(str(ROOT / "setup.py"))
    return given
