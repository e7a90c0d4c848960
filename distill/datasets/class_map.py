"""Class maps: which class each value or colour in the label files of a folder stands for.

The user writes one as a YAML file (``--classes``), or into the configuration (``data.classes``)::

    classes: [sky, building, road]     # the data set's own, in trainId order; left out: the project's 19
    values: {0: sky, 1: building, 2: road, 3: null}        # label value to class; null: ignored
    label_suffix: _L                   # what label files add to the image's name; left out: nothing

Colour label maps have ``colours`` in place of ``values``, with keys of three numbers::

    colours: {128 128 128: sky, 128 0 0: building, 128 64 128: road, 0 0 0: null}

Several values may be one class. The value 255 is ignored unless the map says otherwise; any other value or
colour that the map does not name is an error of the label file, unless the map says what the rest is: with
``rest: null`` it is ignored, with ``rest: building`` it is that class.

(The classes of a *network* made elsewhere are another file, see :mod:`distill.common.class_list`.)
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from distill.common.class_list import check_class_names
from distill.common.yaml_file import read_yaml
from distill.datasets.frame import OTHER_COLOURS, UNKNOWN_ID, LabelMap
from kd_seg_ros.common.classes import CLASS_NAMES, IGNORE_ID
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.suggest import did_you_mean

Values: TypeAlias = Mapping[int, str | None]
"""Class name, or None for ignored, by the value in an index PNG."""
ColourNames: TypeAlias = Mapping[tuple[int, int, int], str | None]
"""Class name, or None for ignored, by the RGB colour (0…255) in a colour PNG."""

_KEYS = {"classes", "values", "colours", "label_suffix", "rest"}
_LONGEST = 9
"""Most digits of a number: beyond them it is nonsense that Python refuses to convert."""


@dataclass(frozen=True)
class ClassMap:
    """The classes of a data set and how its label files say them."""

    names: Values | ColourNames
    """Class name of each value or colour in the label files; None: ignored."""
    class_names: tuple[str, ...] = CLASS_NAMES
    """The classes, in the order of their trainIds."""
    label_suffix: str = ""
    """What the name of a label file adds to that of its image, before the extension."""
    has_rest: bool = False
    """True if values and colours that are not in ``names`` stand for ``rest``, False if they are errors."""
    rest: str | None = None
    """Class name, or None for ignored, of all other values and colours, where ``has_rest`` is true."""

    def label_map(self, source: str = "class map") -> LabelMap:
        """Return the table from values or colours to trainIds, 0…C−1 in the classes' order; 255: ignored.

        :param source: names the class map in errors.
        :raises UserError: as :func:`label_map` does.
        """
        rest = _train_id(self.rest, self.class_names, source) if self.has_rest else UNKNOWN_ID
        return label_map(self.names, self.class_names, source, rest)


def label_map(
    names: Values | ColourNames,
    class_names: Sequence[str],
    source: str = "class map",
    rest: int = UNKNOWN_ID,
) -> LabelMap:
    """Return the trainIds, 0…C−1 in the order of ``class_names`` and 255 for None, of values or colours.

    :param source: names the class map in errors.
    :param rest: trainId, or 255 for ignored, of values and colours that are not in ``names``.
    :raises UserError: for a name that is none of ``class_names``, a value or colour out of range, or a
        class that nothing stands for.
    """
    check_class_names(class_names, source)
    ids = {key: _train_id(name, class_names, source) for key, name in names.items()}
    if not set(ids.values()) - {IGNORE_ID}:
        raise UserError(f"{source}: no value or colour stands for any class")
    values = {key: train_id for key, train_id in ids.items() if isinstance(key, int)}
    colours = {key: train_id for key, train_id in ids.items() if isinstance(key, tuple)}
    for number in itertools.chain(values, *colours):
        if not 0 <= number <= 255:
            raise UserError(f"{source}: {number} is no 8-bit value: give 0 to 255")
    if values and colours:
        raise UserError(f"{source}: give values or colours, not both")
    if colours:
        return colours if rest == UNKNOWN_ID else {**colours, OTHER_COLOURS: rest}
    table = bytearray([rest] * 256)
    table[IGNORE_ID] = IGNORE_ID
    for value, train_id in values.items():
        table[value] = train_id
    return bytes(table)


def read_class_map(path: Path) -> ClassMap:
    """Read a class map's YAML file; raises UserError naming the file and what is wrong with it."""
    return parse_class_map(read_yaml(path, "class map"), f"class map {path}")


def parse_class_map(content: Any, source: str = "class map") -> ClassMap:
    """Check the content of a class map; ``source`` names it in errors.

    :raises UserError: saying what is wrong with it.
    """
    if not isinstance(content, dict) or ("values" in content) == ("colours" in content):
        raise UserError(f"{source}: give exactly one of values and colours")
    unknown = [key for key in content if key not in _KEYS]
    if unknown:
        raise UserError(f"{source}: unknown key {unknown[0]!r}; known: {', '.join(sorted(_KEYS))}")
    classes = content.get("classes", CLASS_NAMES)
    if not isinstance(classes, list | tuple) or not all(isinstance(name, str) for name in classes):
        raise UserError(f"{source}: classes must be a list of names")
    suffix = content.get("label_suffix", "")
    if not isinstance(suffix, str):
        raise UserError(f"{source}: label_suffix must be text")
    kind = "values" if "values" in content else "colours"
    if not isinstance(content[kind], dict):
        raise UserError(f"{source}: {kind} must be pairs like '{_EXAMPLES[kind]}'")
    names: dict[Any, str | None] = {}
    written: dict[Any, Any] = {}
    for text, name in content[kind].items():
        key = _key(text, kind, source)
        if key in names:
            raise UserError(f"{source}: {written[key]!r} and {text!r} in {kind} are the same: remove one")
        names[key], written[key] = _name(name, source), text
    rest = _name(content.get("rest"), source)
    class_map = ClassMap(names, tuple(classes), suffix, "rest" in content, rest)
    class_map.label_map(source)  # refuse it now rather than with the first image
    return class_map


_EXAMPLES = {"values": "0: road", "colours": "128 64 128: road"}


def _key(key: Any, kind: str, source: str) -> Any:
    """Return the number of a value, or the tuple of a colour, from a key; in JSON a key is always text."""
    text = str(key) if type(key) is int else key if isinstance(key, str) else ""
    numbers = text.replace(",", " ").split()
    if len(numbers) == (1 if kind == "values" else 3) and all(map(_is_number, numbers)):
        return int(numbers[0]) if kind == "values" else tuple(map(int, numbers))
    raise UserError(f"{source}: {str(key)[:40]!r} in {kind} must be like '{_EXAMPLES[kind]}'")


def _is_number(text: str) -> bool:
    """Return whether a text is a whole number; zeros in front of it have no meaning."""
    return text.isdecimal() and len(text) <= _LONGEST


def _name(name: Any, source: str) -> str | None:
    if name is None or isinstance(name, str):
        return name
    raise UserError(f"{source}: {name!r} is no class name; null stands for ignored")


def _train_id(name: str | None, class_names: Sequence[str], source: str) -> int:
    if name is None:
        return IGNORE_ID
    if name in class_names:
        return list(class_names).index(name)
    advice = did_you_mean(name, class_names) or f"; there are {', '.join(class_names)}"
    raise UserError(f"{source}: {name!r} is none of the classes{advice}")
