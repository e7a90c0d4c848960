"""Class lists: the classes of a network made elsewhere, in the order of its channels, as ``wrap`` takes them.

A YAML file with the names alone, or each with its colour (RGB, 0…255)::

    classes: [road, car, sky]
    classes: {road: [128, 64, 128], car: [0, 0, 142], sky: [70, 130, 180]}

(What the values of *label files* mean is another file, a class map: :mod:`distill.datasets.class_map`.)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from distill.common.palette import Colour, palette
from distill.common.yaml_file import read_yaml
from kd_seg_ros.common.classes import IGNORE_ID
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.card import same_names

MAX_CLASSES: Final = 254
"""Largest number of classes to train: 254 and 255 are the labels of unknown and of ignored pixels."""


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
    check_class_names(names, f"--classes {path}", IGNORE_ID)
    if isinstance(classes, dict):
        return {name: _colour(value, f"--classes {path}: {name}") for name, value in classes.items()}
    return dict(zip(names, palette(names), strict=True))


def check_class_names(names: Sequence[str], source: str, most: int = MAX_CLASSES) -> None:
    """Refuse names that a network cannot have: fewer than two, too many, empty, or two that are alike.

    A network of one class says that class everywhere, with a confidence of 1, and its scores are perfect.

    :param names: in the order of the trainIds.
    :param source: names the list in errors.
    :param most: largest number of classes.
    :raises UserError: saying what is wrong.
    """
    if not 2 <= len(names) <= most or len(set(names)) < len(names):
        raise UserError(f"{source}: there must be 2 to {most} different names of classes")
    for name in names:
        if not name.isprintable() or not name.strip():
            raise UserError(f"{source}: {name!r} is no class name: give text of one line")
    alike = same_names(names)
    if alike:
        raise UserError(f"{source}: classes {' and '.join(map(repr, alike))} are one name in ROS")


def _colour(value: Any, source: str) -> Colour:
    if (
        isinstance(value, list)
        and len(value) == 3
        and all(type(number) is int and 0 <= number <= 255 for number in value)
    ):
        return value[0], value[1], value[2]
    raise UserError(f"{source} must have a colour like [128, 64, 128], not {value!r}")
