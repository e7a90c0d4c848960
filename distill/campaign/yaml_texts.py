"""Odd YAML: what users, editors and attackers write into any file of that format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

BROKEN: Final[dict[str, bytes]] = {
    "empty": b"",
    "a number": b"5",
    "a list": b"[1, 2]",
    "brackets without end": b"[" * 100_000,
    "braces without end": b"{a: " * 20_000,
    "an alias of itself": b"a: &a [*a]\n",
    "a merge of itself": b"a: &a {<<: *a}\n",
    "not UTF-8": b"values: {0: \xff\xfe}\n",
    "bytes of zero": b"a: \0\0\0\n",
    "a tab": b"a:\n\tb: 1\n",
    "an object of Python": b"!!python/object/apply:os.system ['true']\n",
    "several documents": b"a: 1\n---\na: 2\n",
    "no such alias": b"a: *b\n",
    "a tag that is not known": b"a: !x 1\n",
}
"""Texts that are neither a class map nor a configuration."""

SCALARS: Final = (
    *("null", "true", "yes", "-1", "0", "1.5", "1e400", ".nan", ".inf", "1" * 5000, "0o17", "0x1F", "008"),
    *("''", "x", '"a\\nb"', "2020-01-01", "12:30:45", "[]", "{}", "[1]", "{a: b}", "[[]]", "~", '"\\ud800"'),
    *("~/x", "../..", "1_000", "!!binary YQ==", "!!set {a}", "é" * 1000, "&a b", "!!float 1"),
)
"""Values of every kind, as they are written."""


def expanding() -> bytes:
    """Return a few hundred bytes of YAML that unpack to 10^9 items."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 9):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]")
    return "\n".join(lines).encode()


def damaged(text: str, rng: np.random.Generator) -> bytes:
    """Return a text in which some bytes are others, are missing or stand twice."""
    data = bytearray(text.encode())
    for _ in range(int(rng.integers(1, 4))):
        place = int(rng.integers(len(data)))
        change = _CHANGES[int(rng.integers(len(_CHANGES)))]
        change(data, place, rng)
    return bytes(data)


def _other_byte(data: bytearray, place: int, rng: np.random.Generator) -> None:
    data[place] = int(rng.integers(256))


def _missing(data: bytearray, place: int, rng: np.random.Generator) -> None:
    if len(data) > 10:
        del data[place : place + int(rng.integers(1, 5))]


def _again(data: bytearray, place: int, rng: np.random.Generator) -> None:
    data[place:place] = data[place : place + int(rng.integers(1, 30))]


_CHANGES: Final[tuple[Callable[[bytearray, int, np.random.Generator], None], ...]] = (
    _other_byte,
    _missing,
    _again,
)
