"""Rules of style that a program can check; CONTRIBUTING.md gives the reasons."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("kd_seg_ros", "distill", "launch", "scripts", "test")
SOURCES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)

UNCOMMON = re.compile(r"\b(anew|shall|is told in|goes on with|honest|thereof|hereby)\b", re.IGNORECASE)
"""Words that a reader whose first language is not English stumbles over; each has a plain equivalent."""


def places(is_fault: Callable[[ast.AST], bool]) -> list[str]:
    """Return the places in all sources of the nodes that are faults."""
    found: list[str] = []
    for path in SOURCES:
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        lines = [getattr(node, "lineno", 0) for node in nodes if is_fault(node)]
        found.extend(f"{path.relative_to(ROOT)}:{line}" for line in lines)
    return found


def unpacks_a_generator(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Tuple)
        and isinstance(node.value, ast.GeneratorExp)
    )


def holds_another_comprehension(node: ast.AST) -> bool:
    if not isinstance(node, COMPREHENSIONS):
        return False
    inner = [child for child in ast.walk(node) if isinstance(child, COMPREHENSIONS)]
    return len(inner) > 1  # the first is the node itself


def test_no_tuple_is_unpacked_from_a_generator() -> None:
    """Instead of ``a, b = (f(x) for x in …)`` the steps have names."""
    assert not places(unpacks_a_generator)
    assert unpacks_a_generator(ast.parse("a, b = (f(x) for x in y)").body[0])


def test_no_comprehension_is_inside_another() -> None:
    assert not places(holds_another_comprehension)
    assert any(
        holds_another_comprehension(node) for node in ast.walk(ast.parse("[[x for x in y] for y in z]"))
    )


def test_words_are_plain() -> None:
    found = []
    for path in {*SOURCES, *PAGES} - {Path(__file__).resolve()}:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if UNCOMMON.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert not found
