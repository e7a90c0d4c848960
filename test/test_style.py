"""Rules of style that a program can check; CONTRIBUTING.md gives the reasons."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("kd_seg_ros", "distill", "launch", "scripts", "test")
SOURCES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)

UNCOMMON = re.compile(r"\b(anew|shall|is told in|goes on with|honest|thereof|hereby)\b", re.IGNORECASE)
"""Words that a reader whose first language is not English stumbles over; each has a plain equivalent."""


def statements() -> Iterator[tuple[str, ast.AST]]:
    """Yield every node of every source, with where it is."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}", node


def test_no_tuple_is_unpacked_from_a_generator() -> None:
    """Instead of ``a, b = (f(x) for x in …)`` the steps have names."""
    found = [
        where
        for where, node in statements()
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Tuple)
        and isinstance(node.value, ast.GeneratorExp)
    ]
    assert not found


def test_no_comprehension_is_inside_another() -> None:
    found = []
    for where, node in statements():
        if isinstance(node, COMPREHENSIONS):
            inner = [child for child in ast.walk(node) if isinstance(child, COMPREHENSIONS)]
            if len(inner) > 1:  # the first is the node itself
                found.append(where)
    assert not found


def test_words_are_plain() -> None:
    found = []
    for path in {*SOURCES, *PAGES} - {Path(__file__).resolve()}:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if UNCOMMON.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert not found
