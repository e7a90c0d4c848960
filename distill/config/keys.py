"""The keys that a configuration may have and the types of their values, read from its sections."""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from distill.config.experiment import Config
from distill.config.section import Section
from kd_seg_ros.common.suggest import nearest


class UnknownKeyError(KeyError):
    """A key that a configuration does not have."""

    def __init__(self, fault: str, suggestion: str | None) -> None:
        """Keep what is wrong, and the nearest key that there is.

        :param fault: the key up to and with its first unknown part.
        :param suggestion: a whole key; None where none is similar.
        """
        super().__init__(fault)
        self.fault = fault
        self.suggestion = suggestion


def type_of(key: str) -> Any:
    """Return the annotation of a key such as ``training.epochs`` or ``objective.features.0.weight``.

    :raises UnknownKeyError: if a configuration has no such key.
    """
    annotation: Any = Config
    parts = key.split(".")
    for number, part in enumerate(parts):
        inner = _inner_type(annotation, part)
        if inner is None:
            raise UnknownKeyError(".".join(parts[: number + 1]), _suggestion(annotation, parts, number))
        annotation = inner
    return annotation


def alternatives(annotation: Any) -> list[Any]:
    """Return the types that a value of this annotation may have: ``str | None`` has two."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return alternatives(get_args(annotation)[0])
    if origin in (Union, UnionType):
        found: list[Any] = []
        for alternative in get_args(annotation):
            found += alternatives(alternative)
        return found
    return [annotation]


def section_in(annotation: Any) -> type[Section] | None:
    """Return the section that a value may be, or a list of which it may be."""
    for alternative in alternatives(annotation):
        if isinstance(alternative, type) and issubclass(alternative, Section):
            return alternative
        if get_origin(alternative) is tuple:
            return section_in(get_args(alternative)[0])
    return None


def known_keys(section: type[Section] = Config, prefix: str = "") -> Iterator[str]:
    """Yield every key, sections included and before what is in them; those of lists without a position."""
    for name, field in section.model_fields.items():
        yield prefix + name
        inner = section_in(field.annotation)
        if inner is not None:
            yield from known_keys(inner, f"{prefix}{name}.")


def keys_next_to(location: tuple[str, ...]) -> list[str]:
    """Return the known names in the section in which the last part of a location stands."""
    section: type[Section] = Config
    for part in location[:-1]:
        if part.isdecimal():
            continue
        inner = section_in(section.model_fields[part].annotation)
        assert inner is not None, f"{part} is no section"
        section = inner
    return list(section.model_fields)


def _inner_type(annotation: Any, part: str) -> Any:
    """Return the type of what ``part`` names inside a value; None if there is no such thing."""
    for alternative in alternatives(annotation):
        if alternative is Any:
            return Any
        arguments = get_args(alternative)
        if isinstance(alternative, type) and issubclass(alternative, Section):
            if part in alternative.model_fields:
                return alternative.model_fields[part].annotation
        elif get_origin(alternative) is dict:
            return arguments[1]
        elif get_origin(alternative) is tuple and part.isdecimal():
            if arguments[-1] is Ellipsis:
                return arguments[0]
            if int(part) < len(arguments):
                return arguments[int(part)]
    return None


def _suggestion(annotation: Any, parts: list[str], number: int) -> str | None:
    """Find the key that was meant: its unknown part misspelt, or else its section forgotten."""
    section = section_in(annotation)
    like = nearest(parts[number], section.model_fields) if section is not None else []
    if like:
        return ".".join([*parts[:number], like[0], *parts[number + 1 :]])
    whole = nearest(".".join(parts), known_keys())
    return whole[0] if whole else None


def is_optional(annotation: Any) -> bool:
    """Return whether a value may be null."""
    return NoneType in alternatives(annotation)
