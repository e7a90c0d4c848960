"""Experiments' YAML files, right and wrong, loaded as ``kd_seg fit`` loads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import yaml

from distill.campaign.yaml_texts import BROKEN, SCALARS, damaged, expanding
from distill.config.load import load_config
from kd_seg_ros.campaign.outcome import Expected, Verdict, judged

_BASE: Final[dict[str, Any]] = {
    "name": "small",
    "out": "runs",
    "data": {"root": "data", "crop": [64, 64], "workers": 0},
    "student": {"backbone": "resnet10t", "channels": 8},
    "training": {"batch_size": 2, "epochs": 1},
}

Made = tuple[bytes, Expected]


def names() -> Sequence[str]:
    """Return the names of the cases."""
    return [*CASES, *(f"YAML: {name}" for name in BROKEN)]


def try_case(name: str, seed: int, folder: Path) -> Verdict:
    """Write the file and load it; what the file says must stand in the configuration."""
    kind, _, broken = name.partition("YAML: ")
    if broken:
        # Every key of an experiment has a default, so an empty file is a right one.
        content, expected = BROKEN[broken], Expected.EITHER if broken == "empty" else Expected.REFUSED
    else:
        content, expected = CASES[kind](np.random.default_rng(seed))
    path = folder / "experiment.yaml"
    path.write_bytes(content)
    return judged(partial(load_config, path), expected, partial(_problem, kind))


def _problem(kind: str, config: Any) -> str:
    if kind == "right" and (config.name, config.student.channels) != ("small", 8):
        return "the configuration holds other values than the file"
    return ""


@cache
def _leaves() -> list[tuple[str, ...]]:
    """Return the path of every key of an experiment that has a plain value, by its sections."""
    found: list[tuple[str, ...]] = []
    waiting: list[tuple[tuple[str, ...], Any]] = [((), _loaded_default().model_dump())]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict) and value:
            waiting += [((*path, str(key)), item) for key, item in value.items()]
        else:
            found.append(path)
    return sorted(found)


@cache
def _loaded_default() -> Any:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "experiment.yaml"
        path.write_text(yaml.safe_dump(_BASE), encoding="utf-8")
        return load_config(path)


def _text(path: tuple[str, ...], value: str) -> bytes:
    """Return an experiment in which one key has another value, as it is written."""
    base: dict[str, Any] = yaml.safe_load(yaml.safe_dump(_BASE))
    section = base
    for name in path[:-1]:
        section = section.setdefault(name, {})
        if not isinstance(section, dict):
            return b"[]"
    section[path[-1]] = "PLACE"
    return yaml.safe_dump(base).replace("PLACE", value).encode(errors="surrogatepass")


def _right(_: np.random.Generator) -> Made:
    return yaml.safe_dump(_BASE).encode(), Expected.SAME


def _odd_value(rng: np.random.Generator) -> Made:
    leaves = _leaves()
    path = leaves[int(rng.integers(len(leaves)))]
    return _text(path, SCALARS[int(rng.integers(len(SCALARS)))]), Expected.EITHER


def _slip(rng: np.random.Generator) -> Made:
    """Leave out a letter of a key."""
    leaves = [path for path in _leaves() if len(path[-1]) > 4]
    path = leaves[int(rng.integers(len(leaves)))]
    place = int(rng.integers(1, len(path[-1]) - 1))
    slip = (*path[:-1], path[-1][:place] + path[-1][place + 1 :])
    return _text(slip, "1"), Expected.EITHER if slip in _leaves() else Expected.REFUSED


def _odd_section(rng: np.random.Generator) -> Made:
    section = str(rng.choice(["data", "student", "training", "teacher", "objective"]))
    value = str(rng.choice(["5", "text", "[1]", "true", "1e400", "[[]]"]))
    base = {key: item for key, item in _BASE.items() if key != section}
    return yaml.safe_dump(base).encode() + f"{section}: {value}\n".encode(), Expected.REFUSED


def _section_twice(rng: np.random.Generator) -> Made:
    section = str(rng.choice(["data", "student", "training"]))
    again = yaml.safe_dump({section: _BASE[section]})
    return yaml.safe_dump(_BASE).encode() + again.encode(), Expected.REFUSED


def _damaged(rng: np.random.Generator) -> Made:
    return damaged(yaml.safe_dump(_BASE), rng), Expected.EITHER


def _with_base(base: str) -> Callable[[np.random.Generator], Made]:
    return lambda _: (f"base: {base}\n".encode() + yaml.safe_dump(_BASE).encode(), Expected.REFUSED)


def _expanding(_: np.random.Generator) -> Made:
    return expanding() + b"\nname: *a8\n", Expected.REFUSED


CASES: Final[dict[str, Callable[[np.random.Generator], Made]]] = {
    "right": _right,
    "odd value": _odd_value,
    "slip in a key": _slip,
    "odd section": _odd_section,
    "section twice": _section_twice,
    "damaged": _damaged,
    "base is the file itself": _with_base("experiment.yaml"),
    "base is missing": _with_base("nowhere.yaml"),
    "base is a folder": _with_base("."),
    "base is no text": _with_base("[1]"),
    "base of no name": _with_base("''"),
    "aliases that unpack": _expanding,
}
"""Cases by name."""
