"""What to offer a user who gave a name that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

ALIKE = 0.5
"""Least likeness of a name that is offered: twice the matching characters over all characters, 0…1."""


def nearest(name: str, known: Iterable[str], count: int = 1, alike: float = ALIKE) -> list[str]:
    """Return at most ``count`` of the ``known`` names that resemble ``name``, the most similar first.

    Upper and lower case count as the same.

    :param alike: least likeness, 0…1, as ``difflib.SequenceMatcher.ratio`` measures it; raise it for names
        that have a long beginning in common.
    """
    spelling = {other.lower(): other for other in known}
    return [spelling[match] for match in difflib.get_close_matches(name.lower(), spelling, count, alike)]


def did_you_mean(name: str, known: Iterable[str], count: int = 1, alike: float = ALIKE) -> str:
    """Return the end of an error message, such as "; did you mean 'road'?", or nothing if none is similar.

    The parameters are those of :func:`nearest`.
    """
    names = [repr(other) for other in nearest(name, known, count, alike)]
    if not names:
        return ""
    *others, last = names
    return f"; did you mean {', '.join(others)} or {last}?" if others else f"; did you mean {last}?"
