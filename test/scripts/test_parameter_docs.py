"""The page of parameters is what the descriptors say."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("rclpy")

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "parameter_docs.py"


def test_the_page_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("parameter_docs", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (SCRIPT.parents[1] / "docs" / "parameters.md").read_text(encoding="utf-8")
    assert written == module.page(), "run python scripts/parameter_docs.py"
    assert "| `provider` | `cuda` |" in written
