"""Settings of all tests."""

from __future__ import annotations

import gc
import signal
from pathlib import Path

import pytest
from hypothesis import settings

# A deadline would measure how busy the machine is.
settings.register_profile("without_deadline", deadline=None)
settings.load_profile("without_deadline")

# A shell starts what it puts into the background with SIGINT ignored, and children inherit that: the tests of
# Ctrl-C would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

LONGEST = ("scripts", "distill/export", "distill/commands", "distill/training", "kd_seg_ros/node")
"""Rooms whose files take longest. They run first: of several test processes none has a long file left at the
end, while the others have nothing to do."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the longest rooms first; the others keep their order."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    room = item.path.parent.relative_to(Path(__file__).parent).as_posix()
    return LONGEST.index(room) if room in LONGEST else len(LONGEST)


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over what was imported: a million objects, and none of them garbage."""
    gc.collect()
    gc.freeze()
