"""Class maps in YAML, right and wrong, read as the data sets read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from distill.campaign.yaml_texts import BROKEN, SCALARS, damaged, expanding
from distill.datasets.class_map import ClassMap, read_class_map
from kd_seg_ros.campaign.outcome import Expected, Verdict, judged

_NAMES: Final = ("road", "sky", "car", "tree")

Made = tuple[bytes, Expected, dict[Any, str | None] | None]
"""A file, what must come of it, and the classes that it names if that is known."""


def names() -> Sequence[str]:
    """Return the names of the cases."""
    return [*CASES, *(f"YAML: {name}" for name in BROKEN)]


def try_case(name: str, seed: int, folder: Path) -> Verdict:
    """Write the file and read it."""
    kind, _, broken = name.partition("YAML: ")
    if broken:
        content, expected, wanted = BROKEN[broken], Expected.REFUSED, None
    else:
        content, expected, wanted = CASES[kind](np.random.default_rng(seed))
    path = folder / "classes.yaml"
    path.write_bytes(content)
    return judged(partial(read_class_map, path), expected, partial(_problem, wanted))


def _problem(wanted: dict[Any, str | None] | None, found: ClassMap) -> str:
    if wanted is None or dict(found.names) == wanted:
        return ""
    return f"read as {dict(found.names)!s:.200}"


def _head() -> str:
    return f"classes: [{', '.join(_NAMES)}]\n"


def _right_values(rng: np.random.Generator) -> Made:
    keys = rng.choice(256, int(rng.integers(1, 20)), replace=False).tolist()
    chosen: list[str | None] = [str(rng.choice(_NAMES)) for _ in keys]
    if len(keys) > 1:
        chosen[-1] = None
    wanted = dict(zip(keys, chosen, strict=True))
    lines = "".join(f"  {key}: {name or 'null'}\n" for key, name in wanted.items())
    return (_head() + "values:\n" + lines).encode(), Expected.SAME, wanted


def _right_colours(rng: np.random.Generator) -> Made:
    wanted: dict[Any, str | None] = {}
    for name in _NAMES:
        red, green, blue = rng.integers(0, 256, 3).tolist()
        wanted[red, green, blue] = name
    lines = "".join(f"  {' '.join(map(str, key))}: {name}\n" for key, name in wanted.items())
    return (_head() + "colours:\n" + lines).encode(), Expected.SAME, wanted


def _padded(rng: np.random.Generator) -> Made:
    """Write values with leading zeros, which YAML 1.1 takes for octal numbers."""
    key = int(rng.integers(8, 100))
    text = f"{_head()}values: {{{key:03d}: road, 200: sky}}\n"
    return text.encode(), Expected.EITHER, {key: "road", 200: "sky"}


def _odd_key(rng: np.random.Generator) -> Made:
    """Write any scalar as a key; those that a reader may take for a number say which."""
    text = SCALARS[int(rng.integers(len(SCALARS)))]
    if text == "0":
        return f"{_head()}values: {{0: road}}\n".encode(), Expected.SAME, {0: "road"}
    return f"{_head()}values: {{? {text} : road, 200: sky}}\n".encode(), Expected.EITHER, None


def _odd_name(rng: np.random.Generator) -> Made:
    """Write any scalar as the name of a class."""
    text = SCALARS[int(rng.integers(len(SCALARS)))]
    expected = Expected.SAME if text in ("null", "~") else Expected.REFUSED
    return f"{_head()}values: {{0: {text}, 1: sky}}\n".encode(), expected, {0: None, 1: "sky"}


def _odd_section(rng: np.random.Generator) -> Made:
    text = SCALARS[int(rng.integers(len(SCALARS)))]
    section = str(rng.choice(["values", "colours"]))
    return f"{_head()}{section}: {text}\n".encode(), Expected.REFUSED, None


def _odd_classes(rng: np.random.Generator) -> Made:
    text = SCALARS[int(rng.integers(len(SCALARS)))]
    return f"classes: {text}\nvalues: {{0: road, 1: sky}}\n".encode(), Expected.REFUSED, None


def _slip(rng: np.random.Generator) -> Made:
    name = str(rng.choice(["raod", "Road", "road ", "skyy", "unicorn"]))
    return f"{_head()}values: {{0: '{name}', 1: sky}}\n".encode(), Expected.REFUSED, None


def _beyond(rng: np.random.Generator) -> Made:
    value = int(rng.choice([256, 1000, -1, 2**40, -(2**70 % 10**9)]))
    return f"{_head()}values: {{{value}: road, 1: sky}}\n".encode(), Expected.REFUSED, None


def _fixed(text: str) -> Callable[[np.random.Generator], Made]:
    """Return what gives a text that must be refused."""
    return lambda _: (text.encode(), Expected.REFUSED, None)


def _damaged(rng: np.random.Generator) -> Made:
    return damaged(_right_values(rng)[0].decode(), rng), Expected.EITHER, None


def _expanding(_: np.random.Generator) -> Made:
    return expanding() + b"\nclasses: *a8\nvalues: {0: x}\n", Expected.REFUSED, None


CASES: Final[dict[str, Callable[[np.random.Generator], Made]]] = {
    "right values": _right_values,
    "right colours": _right_colours,
    "values with leading zeros": _padded,
    "odd key": _odd_key,
    "odd name": _odd_name,
    "odd section": _odd_section,
    "odd classes": _odd_classes,
    "slip in a name": _slip,
    "value beyond 8 bits": _beyond,
    "damaged": _damaged,
    "aliases that unpack": _expanding,
    "a value twice": _fixed(f"classes: {list(_NAMES)}\nvalues: {{0: road, 1: sky, 0: car}}\n"),
    "a section twice": _fixed(f"classes: {list(_NAMES)}\nvalues: {{0: road}}\nvalues: {{0: sky, 1: car}}\n"),
    "a class twice": _fixed("classes: [road, road]\nvalues: {0: road}\n"),
    "one class": _fixed("classes: [road]\nvalues: {0: road}\n"),
    "no class": _fixed("classes: []\nvalues: {}\n"),
    "all ignored": _fixed("classes: [a, b]\nvalues: {0: null, 1: null}\n"),
    "values and colours": _fixed("classes: [a, b]\nvalues: {0: a}\ncolours: {0 0 0: b}\n"),
    "unknown key": _fixed("clases: [a, b]\nvalues: {0: a, 1: b}\n"),
    "colour of two numbers": _fixed("classes: [a, b]\ncolours: {0 0: a, 1 1 1: b}\n"),
    "colour beyond 8 bits": _fixed("classes: [a, b]\ncolours: {0 0 256: a, 1 1 1: b}\n"),
}
"""Cases by name."""
