"""From a YAML file to an experiment: bases, overrides, and errors a person understands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from distill.common.yaml_file import read_yaml
from distill.config.experiment import Config
from distill.config.section import Section
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.suggest import did_you_mean


def load_config(path: Path, overrides: Mapping[str, Any] | None = None) -> Config:
    """Read and validate an experiment.

    :param overrides: values by dotted key, ``{"training.epochs": 3}``; they win over the file.
    :raises UserError: naming the file, the key at fault and the nearest known one.
    """
    values = _read_yaml(path)
    for key, value in (overrides or {}).items():
        _set(values, key.split("."), value)
    return parse_config(values, str(path))


def parse_config(values: Mapping[str, Any], source: str) -> Config:
    """Validate plain values; ``source`` names them in errors."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise UserError(f"{source}: {_explain(error)}") from error


def _read_yaml(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Read a file and, below it, its base."""
    if path.resolve() in seen:
        raise UserError(f"{path}: its bases form a circle")
    values = read_yaml(path, "configuration")
    if not isinstance(values, dict):
        raise UserError(f"configuration {path} holds no keys")
    base = values.pop("base", None)
    if base is None:
        return values
    return _merged(_read_yaml(path.parent / str(base), (*seen, path.resolve())), values)


def _merged(base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Lay ``changes`` over ``base``, section by section."""
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _set(values: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        section = values.get(key)
        if not isinstance(section, dict):
            section = values[key] = {}
        values = section
    values[keys[-1]] = value


def _explain(error: ValidationError) -> str:
    """One line for the first fault of a validation; a wrong name goes before what is missing for it."""
    faults = error.errors()
    first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = _keys_beside(first["loc"])
        advice = did_you_mean(str(first["loc"][-1]), known) or f"; there are {', '.join(known)}"
        return f"unknown key {where!r}{advice}"
    if first["type"] == "missing":
        return f"{where!r} is missing"
    message = first["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    return f"{where!r}: {message} (it is {first['input']!r})" if where else message


def _keys_beside(location: Iterable[str | int]) -> list[str]:
    """Names of the known keys of the section that the last part of ``location`` stands in."""
    section: Any = Config
    for part in list(location)[:-1]:
        if isinstance(part, int):
            continue
        annotation = section.model_fields[part].annotation
        section = _section_in(annotation)
    return list(section.model_fields)


def _section_in(annotation: Any) -> Any:
    """Return the section class inside ``Section``, ``Section | None`` or ``tuple[Section, …]``."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next(filter(None, (_section_in(a) for a in getattr(annotation, "__args__", ()))), None)
