"""The result of a suite, and its table in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """What a suite has measured."""

    text: str
    """Report in Markdown."""
    figures: Any
    """The same as plain numbers, for JSON."""
    passed: bool = True
    """False ends the command with status 1."""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a Markdown table: the first column to the left, the others to the right."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
