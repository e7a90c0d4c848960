"""The values of a configuration before they are validated, each with where it was given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from distill.common.yaml_file import Location, read_yaml_with_lines
from distill.config.shipped import find_config
from kd_seg_ros.common.errors import UserError


@dataclass(frozen=True)
class Origin:
    """Where a value of a configuration was given."""

    source: str
    """The file's path, "command line" or "default"."""
    line: int | None = None
    """Line of the file, counted from 1."""

    def __str__(self) -> str:
        """Return ``FILE:LINE``, or the source where there is no line."""
        return self.source if self.line is None else f"{self.source}:{self.line}"


DEFAULT: Final = Origin("default")
"""Origin of a value that nobody has given."""
COMMAND_LINE: Final = Origin("command line")
"""Origin of a value given as an option, or as an override from Python."""


@dataclass
class Draft:
    """Values that were read, but not validated yet."""

    source: str
    """What they are read from, to name it in errors."""
    values: dict[str, Any] = field(default_factory=dict)
    """Plain values as YAML gives them: nested mappings and lists."""
    origins: dict[Location, Origin] = field(default_factory=dict)
    """Where each value, list and section was last given."""

    def add(self, values: Mapping[str, Any], origins: Mapping[Location, Origin]) -> None:
        """Lay values over those that are there, section by section; anything but a section is replaced."""
        self.values = self._merged(self.values, values, ())
        self.origins.update(origins)

    def set(self, key: str, value: Any, origin: Origin) -> None:
        """Set one value by its dotted key; a section given as a whole replaces the one that is there."""
        *sections, last = location = tuple(key.split("."))
        inner: Any = self.values
        for number, part in enumerate(sections):
            below = _child(inner, part)
            if not isinstance(below, dict | list):
                below = {}
                self._put(inner, part, below, location[: number + 1], origin)
            inner = below
        self._put(inner, last, value, location, origin)

    def origin_of(self, location: Location) -> tuple[Location, Origin | None]:
        """Return the longest beginning of a location that was given somewhere, and where."""
        for end in range(len(location), 0, -1):
            if location[:end] in self.origins:
                return location[:end], self.origins[location[:end]]
        return (), None

    def reached(self, location: Location) -> Location:
        """Return the longest beginning of a location under which there is a value."""
        value: Any = self.values
        for number, part in enumerate(location):
            if _child(value, part) is None:
                # Null is a value, too.
                known = isinstance(value, dict) and part in value
                return location[: number + 1] if known else location[:number]
            value = _child(value, part)
        return location

    def is_collection(self, location: Location) -> bool:
        """Return whether a location that was given holds a mapping or a list."""
        value: Any = self.values
        for part in location:
            value = _child(value, part)
        return isinstance(value, dict | list)

    def _merged(self, base: dict[str, Any], changes: Mapping[str, Any], location: Location) -> dict[str, Any]:
        """Return a section with its changes, and forget where the values that they replace were given."""
        merged = dict(base)
        for key, value in changes.items():
            inner = (*location, str(key))
            old = merged.get(key)
            if isinstance(old, dict) and isinstance(value, dict):
                merged[key] = self._merged(old, value, inner)
            else:
                self._forget(inner)
                merged[key] = value
        return merged

    def _put(self, inner: Any, part: str, value: Any, location: Location, origin: Origin) -> None:
        """Set a value in a mapping or a list."""
        if isinstance(inner, dict):
            inner[part] = value
        elif part.isdecimal() and int(part) < len(inner):
            inner[int(part)] = value
        else:
            key, name = ".".join(location), ".".join(location[:-1])
            raise UserError(f"--{key}: {name} has {len(inner)} entries, counted from 0, and no {part}")
        self._forget(location)
        self.origins[location] = origin

    def _forget(self, location: Location) -> None:
        """Remove the origins of a value and of all that is in it."""
        for other in list(self.origins):
            if other[: len(location)] == location:
                del self.origins[other]


def read_draft(path: Path, seen: tuple[Path, ...] = ()) -> Draft:
    """Read a file over its base, which may have one itself.

    :param seen: the files that name this one as their base.
    :raises UserError: for a file that cannot be read or holds no keys, and for bases in a circle.
    """
    if path.resolve() in seen:
        raise UserError(f"{path}: its bases form a circle")
    values, lines = read_yaml_with_lines(path, "configuration")
    if not isinstance(values, dict):
        raise UserError(f"configuration {path} holds no keys")
    base = values.pop("base", None)
    draft = Draft(str(path))
    if base is not None:
        draft = read_draft(_base_file(path, str(base)), (*seen, path.resolve()))
        draft.source = str(path)
    origins = {location: Origin(str(path), line) for location, line in lines.items() if location != ("base",)}
    draft.add(values, origins)
    return draft


def _base_file(path: Path, base: str) -> Path:
    """Return the file that a configuration names as its base: one next to it, or one of this package."""
    neighbour = path.parent / base
    return neighbour if neighbour.exists() or "/" in base else find_config(base)


def _child(value: Any, part: str) -> Any:
    """Return what a mapping or a list holds under a key or position, None where it holds nothing there."""
    if isinstance(value, dict):
        return value.get(part)
    if isinstance(value, list) and part.isdecimal() and int(part) < len(value):
        return value[int(part)]
    return None
