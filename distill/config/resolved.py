"""A whole configuration with where each of its values comes from, for a person or a program to read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from distill.common.yaml_file import Location
from distill.config.draft import COMMAND_LINE, DEFAULT, Draft, Origin
from distill.config.experiment import Config
from distill.config.load import load_with_draft

_INDENT: Final = "  "
_WIDEST: Final = 60
"""Longest line, in characters, whose comment is aligned with those of other lines."""


@dataclass(frozen=True)
class ResolvedConfig:
    """A valid configuration and where its values were given."""

    config: Config
    draft: Draft
    """The values as they were given, with their origins."""

    @property
    def values(self) -> dict[str, Any]:
        """All values, as JSON has them."""
        return self.config.model_dump(mode="json")

    def origin_of(self, location: Location) -> Origin:
        """Return where a value was given, or :data:`~distill.config.draft.DEFAULT`.

        The content of a class map that is read from a file has the origin of the file's name.
        """
        given, origin = self.draft.origin_of(location)
        if origin is None or (given != location and self.draft.is_collection(given)):
            return DEFAULT
        return origin

    def leaves(self) -> Iterator[tuple[Location, Any]]:
        """Yield every value that is no section, with its location; lists of plain values are one value."""
        yield from _leaves(self.values, ())

    def as_yaml(self) -> str:
        """Return the configuration as YAML that can be loaded again, with the origin after each value."""
        lines = [
            f"# Experiment {self.config.name}: every key, its value and where it comes from, which is the",
            "# default, a file and line, or the command line.",
        ]
        names = self._file_names()
        lines += [f"# {name} is {path}" for path, name in names.items() if name != path]
        body: list[tuple[str, str]] = []
        self._add_mapping(self.values, (), "", names, body)
        width = max((len(text) for text, _ in body if len(text) <= _WIDEST), default=0)
        lines += [f"{text:<{width}}  # {comment}" if comment else text for text, comment in body]
        return "\n".join(lines) + "\n"

    def document(self) -> dict[str, Any]:
        """Return the configuration for JSON: the values, and by dotted key where each comes from."""
        origins = {}
        for location, _ in self.leaves():
            origin = self.origin_of(location)
            place: dict[str, Any] = {"source": origin.source}
            if origin.line is not None:
                place["line"] = origin.line
            origins[".".join(location)] = place
        return {"config": self.values, "origins": origins}

    def _file_names(self) -> dict[str, str]:
        """Return how each file that gives a value is called: by its name, if no other has the same."""
        sources = {origin.source for origin in self.draft.origins.values()} - {COMMAND_LINE.source}
        names = [Path(source).name for source in sources]
        return {
            source: Path(source).name if names.count(Path(source).name) == 1 else source
            for source in sorted(sources)
        }

    def _add_mapping(
        self,
        values: dict[str, Any],
        location: Location,
        indent: str,
        names: dict[str, str],
        body: list[tuple[str, str]],
    ) -> None:
        """Add the lines of a mapping and their comments."""
        for key, value in values.items():
            inner = (*location, str(key))
            head = f"{indent}{_scalar(key)}:"
            if isinstance(value, dict) and value:
                body.append((head, ""))
                self._add_mapping(value, inner, indent + _INDENT, names, body)
            elif _is_list_of_mappings(value):
                body.append((head, ""))
                for position, entry in enumerate(value):
                    first = len(body)
                    self._add_mapping(entry, (*inner, str(position)), indent + 2 * _INDENT, names, body)
                    text, comment = body[first]
                    body[first] = (f"{indent}{_INDENT}- {text.lstrip()}", comment)
            else:
                origin = self.origin_of(inner)
                named = Origin(names.get(origin.source, origin.source), origin.line)
                body.append((f"{head} {_scalar(value)}", str(named)))


def resolve_config(config: str | Path, overrides: dict[str, Any] | None = None) -> ResolvedConfig:
    """Read and validate an experiment, and keep where its values come from.

    :param config: a file, or the name of a configuration of this package.
    :param overrides: values by dotted key; they replace those of the file.
    :raises UserError: naming the file and line, or the option, at fault.
    """
    return ResolvedConfig(*load_with_draft(config, overrides))


def _leaves(value: Any, location: Location) -> Iterator[tuple[Location, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*location, str(key)))
    elif _is_list_of_mappings(value):
        for position, inner in enumerate(value):
            yield from _leaves(inner, (*location, str(position)))
    else:
        yield location, value


def _is_list_of_mappings(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) and v for v in value)


def _scalar(value: Any) -> str:
    """Write a value in one line of YAML."""
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")
