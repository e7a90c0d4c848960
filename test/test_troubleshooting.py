"""The messages that docs/troubleshooting.md explains are those of the programs."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "troubleshooting.md"


@lru_cache(maxsize=1)
def texts() -> str:
    """All texts of the sources, one a line, with … for what is filled in."""
    found: list[str] = []
    for package in ("kd_seg_ros", "distill"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    found.append("".join(_part(value) for value in node.values))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
    return "\n".join(found)


def _part(value: ast.expr) -> str:
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else "…"


def quoted() -> list[str]:
    """The messages in the first column of the page's tables."""
    return re.findall(r"^\| `([^`]+)` \|", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_every_message_is_one_of_the_sources() -> None:
    messages = quoted()
    assert len(messages) > 30
    unknown = []
    for message in messages:
        # What is filled in may be called … in both, or be a word that the page leaves out.
        words = [re.escape(part) for part in re.split("…", message)]
        if not re.search(".*".join(words), texts()):
            unknown.append(message)
    assert not unknown


def test_a_message_of_nobody_is_noticed() -> None:
    assert "the flux capacitor is empty" not in texts()
    assert "provider … did not start (…)" in quoted()
