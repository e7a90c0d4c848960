"""What parameter files hold for a node: ROS passes over those that hold nothing for it without a word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import yaml

SECTION: Final = "ros__parameters"
"""Key below which a node's parameters stand."""
_NAMED_AT_MOST: Final = 4


def files_without(arguments: Sequence[str], node: str) -> list[str]:
    """Return a sentence for each parameter file of a command line that has no section for a node.

    :param arguments: of the whole command line.
    :param node: full name of the node, such as ``/front/segmentation``.
    """
    sentences = []
    for path in parameter_files(arguments):
        names = sections(path)
        if names is None or any(applies(name, node) for name in names):
            continue
        has = f"it has {_enumeration(names)}" if names else "it has no section at all"
        sentences.append(
            f"{path} has nothing for this node, {node}; {has}: name the section {node!r} or '/**'"
        )
    return sentences


def parameter_files(arguments: Sequence[str]) -> list[str]:
    """Return the files named by ``--params-file`` between ``--ros-args`` and ``--``."""
    files = []
    inside = False
    for word, following in pairwise(arguments):
        if word == "--ros-args":
            inside = True
        elif word == "--":
            inside = False
        elif inside and word == "--params-file":
            files.append(following)
    return files


def sections(path: str) -> list[str] | None:
    """Return the names of the nodes that a parameter file has sections for; None if it cannot be read."""
    found = _read_sections(path)
    return None if found is None else [name for name, _ in found]


def value_for(path: str, node: str, parameter: str) -> Any:
    """Return the value that a parameter file gives a node; None if it gives none, or cannot be read.

    As in ROS, of several sections for the node the later one counts, whatever its name.

    :param node: full name of the node.
    :param parameter: its name, without a dot.
    """
    given = [
        values[parameter]
        for name, values in _read_sections(path) or ()
        if applies(name, node) and isinstance(values, dict) and parameter in values
    ]
    return given[-1] if given else None


def _read_sections(path: str) -> list[tuple[str, Any]] | None:
    """Return a parameter file's sections, by name with what stands in them; None if it cannot be read."""
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None  # ROS has read it, or will say what is wrong with it
    return list(_nodes(content, ""))


def _nodes(content: Any, above: str) -> list[tuple[str, Any]]:
    """Collect the names below which parameters stand, and these; namespaces may be keys of their own."""
    found = []
    for key, value in content.items() if isinstance(content, dict) else ():
        name = f"{above}/{str(key).strip('/')}" if above else str(key)
        if not isinstance(value, dict):
            continue
        if SECTION in value:
            found.append((name, value[SECTION]))
        found += _nodes({other: below for other, below in value.items() if other != SECTION}, name)
    return found


def applies(section: str, node: str) -> bool:
    """Return whether ROS gives a node the parameters of a section.

    :param section: name in the file; ``*`` stands for one part of a name and ``**`` for any number.
    :param node: full name.
    """
    pattern = re.escape(section if section.startswith("/") else f"/{section}")
    pattern = pattern.replace(r"/\*\*", r"(/\w+)*").replace(r"/\*", r"(/\w+)")
    return re.fullmatch(pattern, node) is not None


def _enumeration(names: Sequence[str]) -> str:
    """Join names, no more than a line holds."""
    more = len(names) - _NAMED_AT_MOST
    return ", ".join(names[:_NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")
