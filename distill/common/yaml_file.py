"""Reads YAML that a user wrote: nothing in it is dropped, taken for something else, or runs without end.

PyYAML's loader, made stricter where YAML 1.1 surprises: a key that stands twice in a mapping is refused
(PyYAML keeps the last one without a word), and numbers are read as written (``010`` is ten, not eight, and
``1:30`` is text, not ninety). Files that grow without end when their anchors are followed are refused.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import yaml

from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.common.files import read_text, reason

Location = tuple[str, ...]
"""The way to a value in a document: the keys and, of lists, the positions that lead to it, as text."""

MAX_BYTES: Final = 4 << 20
"""Largest file that is read: configurations have some kilobytes."""
MAX_VALUES: Final = 200_000
"""Most values of a document, with each anchor counted wherever it is used."""
MAX_DEPTH: Final = 50
"""Deepest nesting of mappings and lists."""

_INT: Final = "tag:yaml.org,2002:int"
_FLOAT: Final = "tag:yaml.org,2002:float"
_MAP: Final = "tag:yaml.org,2002:map"
_MERGE: Final = "tag:yaml.org,2002:merge"

_INTEGER: Final = re.compile(r"[-+]?[0-9][0-9_]*|[-+]?0b[01_]+|[-+]?0x[0-9a-fA-F_]+|[-+]?0o[0-7]+")
"""A whole number as in YAML 1.2: zeros in front have no meaning."""
_DECIMAL: Final = re.compile(
    r"[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
"""A number with a point or an exponent; PyYAML takes ``1e-3`` for text."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the numbers of YAML 1.2."""

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Return a whole number; Python's own notation is that of YAML 1.2, but for zeros in front."""
        text = str(self.construct_scalar(node)).replace("_", "")
        return int(text, 10) if text.lstrip("+-").isdecimal() else int(text, 0)


def _prepare_loader() -> None:
    """Replace the loader's patterns of numbers by those above."""
    resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for first, patterns in yaml.SafeLoader.yaml_implicit_resolvers.items():
        resolvers[first] = [entry for entry in patterns if entry[0] not in (_INT, _FLOAT)]
    _Loader.yaml_implicit_resolvers = resolvers
    for tag, pattern, firsts in ((_FLOAT, _DECIMAL, "-+0123456789."), (_INT, _INTEGER, "-+0123456789")):
        _Loader.add_implicit_resolver(tag, re.compile(f"^(?:{pattern.pattern})$"), list(firsts))
    _Loader.add_constructor(_INT, _Loader.construct_yaml_int)


_prepare_loader()


def read_yaml(path: Path, what: str) -> Any:
    """Return the content of a YAML file as plain values.

    :param what: name of the content in errors, as in "configuration".
    :raises UserError: if the file cannot be read, is not YAML, or has a key twice.
    """
    content, _ = read_yaml_with_lines(path, what)
    return content


def read_yaml_with_lines(path: Path, what: str) -> tuple[Any, dict[Location, int]]:
    """Return the content of a YAML file and the line, counted from 1, on which each of its values begins.

    The parameters and errors are those of :func:`read_yaml`.
    """
    source = f"{what} {path}"
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{source} is larger than {MAX_BYTES >> 20} MiB: no file that a person wrote")
        text = read_text(path)
    except OSError as error:
        raise UserError(f"{source} cannot be read: {error.strerror or reason(error)}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{source} is not YAML: {error}") from error
    return parse_yaml(text, source)


def parse_yaml(text: str, source: str) -> tuple[Any, dict[Location, int]]:
    """Return the content of a YAML text and the line, counted from 1, on which each of its values begins.

    :param source: names the text at the beginning of errors.
    :raises UserError: if it is not YAML, has a key twice, or is nested or repeated too much.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        lines: dict[Location, int] = {}
        if node is None:
            return None, lines
        _check_extent(node, source)
        _check_keys(node, loader, source, set())
        content = loader.construct_document(node)
        _collect_lines(node, (), loader, lines)
        return content, lines
    except RecursionError as error:
        raise UserError(f"{source} is nested too deeply: at most {MAX_DEPTH} levels") from error
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError) as error:
        # The last ones are what PyYAML's constructors raise for dates that are none and numbers without end.
        text = " ".join(str(error).split()) or first_line(error)
        raise UserError(f"{source} is not YAML: {text}") from error


def _check_extent(root: yaml.Node, source: str) -> None:
    """Refuse a document that is too deep, contains itself, or is huge once its anchors are followed."""
    size, height = _extent(root, source, frozenset(), {})
    if size > MAX_VALUES:
        raise UserError(f"{source} has more than {MAX_VALUES} values once its anchors (&, *) are followed")
    if height > MAX_DEPTH:
        raise UserError(f"{source} is nested too deeply: at most {MAX_DEPTH} levels")


def _extent(
    node: yaml.Node, source: str, parents: frozenset[int], known: dict[int, tuple[int, int]]
) -> tuple[int, int]:
    """Return the number of values in a node, counting each as often as it is used, and how deep they nest.

    :param parents: identities of the nodes that it lies in.
    :param known: what this function has returned before, by a node's identity.
    """
    if id(node) in parents:
        raise UserError(f"{source}, line {_line(node)}: this value contains itself")
    if id(node) not in known:
        inside = parents | {id(node)}
        extents = [_extent(child, source, inside, known) for child in _children(node)]
        size = 1 + sum(extent[0] for extent in extents)
        height = 1 + max((extent[1] for extent in extents), default=0)
        known[id(node)] = size, height
    return known[id(node)]


def _children(node: yaml.Node) -> list[yaml.Node]:
    """Return the keys and values of a mapping, the items of a list, nothing of other values."""
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _check_keys(node: yaml.Node, loader: _Loader, source: str, seen: set[int]) -> None:
    """Refuse a key that stands twice in a mapping, naming both lines."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        lines: dict[Any, int] = {}
        for key_node, _ in node.value:
            # Merge keys (<<) have no value of their own; keys that cannot be one are refused later.
            plain = key_node.tag != _MERGE and isinstance(key_node, yaml.ScalarNode)
            key = loader.construct_object(key_node, deep=True) if plain else key_node.tag
            if key in lines:
                raise UserError(
                    f"{source}: {key_node.value!r} stands twice, on lines {lines[key]} and "
                    f"{_line(key_node)}: join the two"
                )
            if plain or key_node.tag == _MERGE:
                lines[key] = _line(key_node)
    for child in _children(node):
        _check_keys(child, loader, source, seen)


def _line(node: yaml.Node) -> int:
    """Return the line on which a node begins, counted from 1."""
    return int(node.start_mark.line) + 1


def _collect_lines(node: yaml.Node, location: Location, loader: _Loader, lines: dict[Location, int]) -> None:
    """Note the lines of all values below a node."""
    if isinstance(node, yaml.MappingNode):
        # Constructing the document has already replaced the merge keys (<<) by what they stand for.
        for key_node, value in node.value:
            inner = (*location, str(loader.construct_object(key_node, deep=True)))
            lines[inner] = _line(key_node)
            _collect_lines(value, inner, loader, lines)
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            inner = (*location, str(position))
            lines[inner] = _line(value)
            _collect_lines(value, inner, loader, lines)
