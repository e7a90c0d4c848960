"""Class lists: the classes of a network made elsewhere, in the order of its channels, as ``wrap`` takes them.

A YAML file with the names alone, or each with its colour (RGB, 0…255)::

    classes: [road, car, sky]
    classes: {road: [128, 64, 128], car: [0, 0, 142], sky: [70, 130, 180]}

(What the values of *label files* mean is another file, a class map: :mod:`distill.datasets.class_map`.)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from distill.common.palette import Colour, palette
from distill.common.yaml_file import read_yaml
from kd_seg_ros.common.classes import IGNORE_ID
from kd_seg_ros.common.errors import UserError


def read_classes(path: Path) -> dict[str, Colour]:
    """Read a class list and return the colour (RGB, 0…255) of each class, in order.

    Classes without a colour get that of Cityscapes if their name is known there, else one of their own.

    :param path: the YAML file.
    :raises UserError: naming the file and what is wrong with it.
    """
    content = read_yaml(path, "--classes")
    classes = content.get("classes") if isinstance(content, dict) else None
    names = list(classes) if isinstance(classes, list | dict) else []
    if not names or not all(isinstance(name, str) for name in names):
        raise UserError(f"--classes {path} must hold `classes:` and a list of names, or colours by name")
    if not 2 <= len(names) <= IGNORE_ID or len(set(names)) < len(names):
        raise UserError(f"--classes {path}: there must be 2 to {IGNORE_ID} different names")
    if isinstance(classes, dict):
        return {name: _colour(value, f"--classes {path}: {name}") for name, value in classes.items()}
    return dict(zip(names, palette(names), strict=True))


def _colour(value: Any, source: str) -> Colour:
    if (
        isinstance(value, list)
        and len(value) == 3
        and all(type(number) is int and 0 <= number <= 255 for number in value)
    ):
        return value[0], value[1], value[2]
    raise UserError(f"{source} must have a colour like [128, 64, 128], not {value!r}")
