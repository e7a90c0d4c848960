"""CHANGELOG.rst says what CHANGELOG.md says, in the form that bloom reads."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def script() -> Any:
    spec = importlib.util.spec_from_file_location("changelog_rst", ROOT / "scripts" / "changelog_rst.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_shipped_file_is_up_to_date(script: Any) -> None:
    written = script.as_rst((ROOT / "CHANGELOG.md").read_text())
    assert (ROOT / "CHANGELOG.rst").read_text() == written, "run `python scripts/changelog_rst.py`"


def test_bloom_reads_every_change(script: Any) -> None:
    """Bloom reads it through catkin_pkg, and so does this test: one entry per entry of CHANGELOG.md."""
    changelog = pytest.importorskip("catkin_pkg.changelog")
    # catkin_pkg passes over what is not released.
    markdown = (ROOT / "CHANGELOG.md").read_text().replace("(unreleased)", "(2030-01-02)")
    wanted = [line for line in markdown.splitlines() if line.startswith("- ")]
    found = changelog.populate_changelog_from_rst(changelog.Changelog(), script.as_rst(markdown))
    entries = [entry for _, _, content in found.foreach_version() for part in content for entry in part]
    assert len(entries) == len(wanted) > 30


def test_marks_are_translated(script: Any) -> None:
    markdown = (
        "# Changes\n\n## 1.2.0 (2030-01-02)\n\n### New\n\n- A `name_x\n  y` of [docs](a.md), 2 * 3\n  more_\n"
    )
    lines = script.as_rst(markdown).splitlines()
    assert lines[4:] == [
        "1.2.0 (2030-01-02)",
        "------------------",
        "",
        "* **New**: A ``name_x y`` of docs, 2 \\* 3 more\\_",
    ]
