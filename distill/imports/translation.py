"""What every translation of a repository's tensor names to this project's has in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from torch import Tensor

Tensors: TypeAlias = Mapping[str, Tensor]
Rename: TypeAlias = tuple[str, str | Callable[[re.Match[str]], str]]
"""A pattern in a tensor's name, and what it is replaced by."""


@dataclass
class Translation:
    """A repository's tensors under this project's names."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    """By this project's names; a tensor that nobody knows keeps its own name, so that it is reported."""
    idle: list[str] = field(default_factory=list)
    """Names in the file of tensors that this project's network has no use for: a criterion's class weights,
    layers that the authors' network never runs, heads of their training."""


def translate(tensors: Tensors, renames: Sequence[Rename], idle: Iterable[str] = ()) -> Translation:
    """Rename tensors by patterns, all of which are tried on every name, in their order.

    :param idle: patterns of the names of tensors that are not used; they are matched from the start.
    """
    result = Translation()
    unused = [re.compile(pattern) for pattern in idle]
    for name, tensor in tensors.items():
        if any(pattern.match(name) for pattern in unused):
            result.idle.append(name)
        else:
            result.tensors[renamed(name, renames)] = tensor
    return result


def renamed(name: str, renames: Sequence[Rename]) -> str:
    """Return a tensor's name after all replacements."""
    for pattern, replacement in renames:
        name = re.sub(pattern, replacement, name)
    return name
