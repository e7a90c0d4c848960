"""Write docs/configuration.md from the configuration's sections: python scripts/configuration_docs.py."""

from __future__ import annotations

import re
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import yaml
from pydantic import AfterValidator
from pydantic.fields import FieldInfo

from distill.config import Config
from distill.config.keys import alternatives, section_in
from distill.config.section import OneOf, Section

PAGE = Path(__file__).parent.parent / "docs" / "configuration.md"
HEAD = """# Keys of a configuration

Generated from `distill/config/` by `python scripts/configuration_docs.py`.
[training.md](training.md) shows how a configuration is written. Each key can be given in a YAML
file or on the command line, where it wins over the file: `kd_seg fit --config j_rn18_cwd_border
--training.epochs 3`. A list is written there with commas (`--data.crop 192,192`), an entry of one
by its position, counted from 0 (`--objective.features.0.weight 2`). `kd_seg config
j_rn18_cwd_border` prints all values of an experiment and where each comes from.

"""
TITLES: Final = {
    "": "The experiment",
    "data.extra": "Each entry of `data.extra`",
    "objective.features": "Each entry of `objective.features`",
}
"""Titles of the tables of sections whose keys are not their titles."""
_PLAIN: Final = {str: "text", bool: "`true` or `false`", int: "whole number", float: "number", Any: "any"}
_SIGNS: Final = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def page() -> str:
    """Return the content of the page."""
    return HEAD + "\n".join(_tables(Config, ""))


def _tables(section: type[Section], prefix: str) -> list[str]:
    """Return a section's table and, after it, those of the sections in it."""
    title = TITLES.get(prefix, f"`{prefix}`")
    lines = [f"## {title}", "", _plain(section.__doc__ or ""), ""]
    lines += ["| key | values | default | meaning |", "|---|---|---|---|"]
    inner: list[str] = []
    for name, field in section.model_fields.items():
        cells = [f"`{name}`", values(field), _default(field), _plain(field.description or "")]
        lines.append(f"| {' | '.join(cells)} |")
        below = section_in(field.annotation)
        if below is not None:
            inner += _tables(below, f"{prefix}.{name}" if prefix else name)
    return [*lines, "", *inner]


def values(field: FieldInfo) -> str:
    """Say which values a field may have."""
    return _values(field.annotation, field.metadata)


def _values(annotation: Any, metadata: list[Any]) -> str:
    """Say which values a type has; the metadata hold its limits and the names of a catalogue."""
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        found: list[Any] = []
        for item in more:
            found += item.metadata if isinstance(item, FieldInfo) else [item]
        return _values(inner, [*metadata, *found])
    kinds = alternatives(annotation)
    if len(kinds) > 1:
        # A union keeps the limits with its members, but a field's own limits are those of all.
        members = [_values(kind, metadata) for kind in get_args(annotation) if kind is not NoneType]
        return " or ".join([*members, *(["null"] if NoneType in kinds else [])])
    arguments = get_args(annotation)
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{name}`" for name in arguments)
    if get_origin(annotation) is tuple:
        if arguments[-1] is Ellipsis:
            return f"list of: {_values(arguments[0], metadata)}"
        return f"list of {len(arguments)}: {_values(arguments[0], metadata)}"
    if get_origin(annotation) is dict:
        return "mapping"
    if section_in(annotation) is not None:
        return "section"
    for item in metadata:
        if isinstance(item, AfterValidator) and isinstance(item.func, OneOf):
            return " or ".join(f"`{name}`" for name in item.func.names)
    return " ".join([_PLAIN[annotation], *_limits(metadata)])


def _limits(metadata: list[Any]) -> list[str]:
    """Say within which limits a number lies."""
    limits = []
    for item in metadata:
        for name, sign in _SIGNS.items():
            if hasattr(item, name):
                limits.append(f"{sign} {getattr(item, name)}")
    return [" and ".join(limits)] if limits else []


def _default(field: FieldInfo) -> str:
    """Return what a key has where it is not given."""
    description = field.description or ""
    if "(default:" in description or "not given" in description:
        return "see there"
    if section_in(field.annotation) is not None and not field.is_required() and field.default is not None:
        return ""
    if field.is_required():
        return "must be given"
    default = field.get_default(call_default_factory=True)
    value = list(default) if isinstance(default, tuple) else default
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), allow_unicode=True)
    return f"`{text.splitlines()[0]}`"


def _plain(text: str) -> str:
    """Turn a docstring into one line of Markdown."""
    text = re.sub(r":\w+:`~?([^`]*)`", r"`\1`", text).replace("``", "`")
    return " ".join(text.split()).replace("|", r"\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"written to {PAGE}")
