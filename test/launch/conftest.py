"""The launch files, loaded with stand-ins for ROS 2's launch modules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import launch_stand_in
import pytest
from ament_prefix import ROOT, install_prefix


@pytest.fixture
def prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An install prefix that the ament index knows this package in, and nothing else set."""
    return install_prefix(tmp_path, monkeypatch)


@pytest.fixture
def launch(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Run launch/segment.launch.py with arguments; returns its actions."""
    description = launch_stand_in.load(ROOT / "launch" / "segment.launch.py", monkeypatch)
    return lambda **given: launch_stand_in.run(description, **given)
