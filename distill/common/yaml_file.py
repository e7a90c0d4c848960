"""Reads YAML files that a user wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from kd_seg_ros.common.errors import UserError

Location = tuple[str, ...]
"""The way to a value in a document: the keys and, of lists, the positions that lead to it, as text."""


def read_yaml(path: Path, what: str) -> Any:
    """Return the content of a YAML file as plain values.

    :param what: name of the content in errors, as in "configuration".
    :raises UserError: if the file cannot be read or is not YAML.
    """
    content, _ = read_yaml_with_lines(path, what)
    return content


def read_yaml_with_lines(path: Path, what: str) -> tuple[Any, dict[Location, int]]:
    """Return the content of a YAML file and the line, counted from 1, on which each of its values begins.

    The parameters and errors are those of :func:`read_yaml`.
    """
    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        content = None if node is None else loader.construct_document(node)
        lines: dict[Location, int] = {}
        if node is not None:
            _collect_lines(node, (), loader, lines, ())
        return content, lines
    except OSError as error:
        raise UserError(f"{what} {path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{what} {path} is not YAML: {' '.join(str(error).split())}") from error


def _collect_lines(
    node: yaml.Node,
    location: Location,
    loader: yaml.SafeLoader,
    lines: dict[Location, int],
    parents: tuple[yaml.Node, ...],
) -> None:
    """Note the lines of all values below a node; an alias to one of its parents is not followed."""
    if node in parents:
        return
    parents = (*parents, node)
    if isinstance(node, yaml.MappingNode):
        # Constructing the document has already replaced the merge keys (<<) by what they stand for.
        for key_node, value in node.value:
            inner = (*location, str(loader.construct_object(key_node, deep=True)))
            lines[inner] = key_node.start_mark.line + 1
            _collect_lines(value, inner, loader, lines, parents)
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            inner = (*location, str(position))
            lines[inner] = value.start_mark.line + 1
            _collect_lines(value, inner, loader, lines, parents)
