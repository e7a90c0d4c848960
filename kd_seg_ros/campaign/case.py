"""A case of a campaign: a suite, a kind of fault and a seed, from which it can be made again."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple, Protocol, cast

from kd_seg_ros.campaign.outcome import Verdict
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.suggest import did_you_mean

SUITES: Final[dict[str, str]] = {
    "messages": "kd_seg_ros.campaign.messages",
    "models": "kd_seg_ros.campaign.models",
    "bags": "kd_seg_ros.campaign.bags",
    "parameters": "kd_seg_ros.campaign.parameters",
}
"""Name of a suite → its module; those that a vehicle has."""


class Suite(Protocol):
    """What the module of a suite offers."""

    def names(self) -> Sequence[str]:
        """Return the names of its cases; raise ImportError where the suite cannot run here."""

    def try_case(self, name: str, seed: int, folder: Path) -> Verdict:
        """Make a case in an empty folder, give it to the program and judge what comes of it."""


class Case(NamedTuple):
    """A case, from which its input can be made again."""

    suite: str
    name: str
    seed: int

    def __str__(self) -> str:
        return f"{self.suite}/{self.name}:{self.seed}"


def load_suite(module: str) -> Suite:
    """Import the module of a suite."""
    return cast(Suite, importlib.import_module(module))


def read_case(text: str, suites: Mapping[str, str]) -> Case:
    """Read a case as it is printed: ``SUITE/NAME:SEED``.

    :param suites: names of suites → modules.
    :raises UserError: if there is no such case.
    """
    suite, slash, rest = text.partition("/")
    name, colon, seed = rest.rpartition(":")
    if not (slash and colon and seed.isdecimal()):
        raise UserError(f"--case {text}: must be SUITE/NAME:SEED, as a failed case is printed")
    if suite not in suites:
        raise UserError(f"--case {text}: there is no suite {suite!r}{did_you_mean(suite, suites)}")
    names = load_suite(suites[suite]).names()
    if name not in names:
        raise UserError(f"--case {text}: {suite} has no case {name!r}{did_you_mean(name, names)}")
    return Case(suite, name, int(seed))


def endless_cases(names: Mapping[str, Sequence[str]], seed: int) -> Iterator[Case]:
    """Yield cases without end: the suites take turns, and each goes through its names again and again.

    :param names: suite → names of its cases.
    :param seed: of the first round through a suite's names; the next round has the next seed.
    """
    for turn in count():
        for suite, there in names.items():
            yield Case(suite, there[turn % len(there)], seed + turn // len(there))
