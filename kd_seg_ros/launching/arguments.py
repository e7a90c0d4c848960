"""The arguments of the launch files: declared from tables, read with checks, refused in one line.

``launch`` itself would report a value outside ``choices`` twice and offer no near name, and it passes over an
argument that no launch file declares. Functions import ``launch``: the node does without it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.suggest import did_you_mean
from kd_seg_ros.inference.providers import PROVIDERS
from kd_seg_ros.launching.names import check_log_level

if TYPE_CHECKING:
    from launch.actions import DeclareLaunchArgument
    from launch.launch_context import LaunchContext

FLAG: Final = ("true", "false")
"""Values of an argument that is on or off, in small or capital letters."""
_CHOICE_ALIKE: Final = 0.7
"""Likeness, 0…1, from which a choice is offered; "cpu" is none for "gpu"."""
_ALIKE: Final = 0.6
"""Likeness, 0…1, from which an unknown argument is taken for a mistyped one."""


@dataclass(frozen=True)
class Argument:
    """An argument of a launch file."""

    name: str
    meaning: str
    """What it does, and what it is without a value, for ``ros2 launch … --show-args``."""
    default: str = ""
    choices: tuple[str, ...] = ()
    """Values that it may have; nothing: any. An empty value is always allowed: as if it were not given."""


PROVIDER: Final = Argument(
    "provider",
    "Where the network runs; auto: the CPU if no GPU starts. Empty: as in params_file (cuda).",
    choices=tuple(PROVIDERS),
)
SIM_TIME: Final = Argument(
    "use_sim_time", "Take the time from /clock. Empty: as in params_file (false).", choices=FLAG
)
ACTIVE: Final = Argument(
    "active",
    "auto: segment only while somebody listens; always: every image. Empty: as in params_file (auto).",
    choices=("auto", "always"),
)
LOG_LEVEL: Final = Argument(
    "log_level",
    "Least level that is logged: debug, info, warn, error or fatal, or LOGGER:=LEVEL. Empty: info.",
)
LIFECYCLE: Final = Argument(
    "lifecycle",
    "Start a lifecycle node, which works once it was configured and activated. Empty: false.",
    choices=FLAG,
)
RESPAWN: Final = Argument(
    "respawn",
    "Start a node again 2 s after it has ended; not after a mistake in what it was given. Empty: false.",
    choices=FLAG,
)
REQUIRED: Final = Argument(
    "required",
    "Stop whatever else was launched when all nodes have ended, one of them by its own fault. Empty: false.",
    choices=FLAG,
)
RVIZ: Final = Argument("rviz", "Open RViz with the node's pictures. Empty: false.", choices=FLAG)


def declare(arguments: Sequence[Argument]) -> list[DeclareLaunchArgument]:
    """Return the actions that declare the arguments to ``launch``."""
    from launch.actions import DeclareLaunchArgument

    actions = []
    for argument in arguments:
        choices = f" Choices: {', '.join(argument.choices)}." if argument.choices else ""
        actions.append(
            DeclareLaunchArgument(
                argument.name, default_value=argument.default, description=f"{argument.meaning}{choices}"
            )
        )
    return actions


def read(
    context: LaunchContext,
    arguments: Sequence[Argument],
    file: str,
    elsewhere: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """Return the arguments' values by name; a flag is ``true``, ``false`` or empty.

    :param file: path of the launch file that declares them.
    :param elsewhere: arguments of the other launch file that this one does not have, and what to do instead.
    :raises UserError: for a value that is not among the choices, or an argument that was mistyped or belongs
        to the other launch file.
    """
    if started_itself(file):
        _refuse_others(context.argv, elsewhere, Path(file).name)
        _refuse_mistyped(context.argv, arguments)
    values = {argument.name: context.launch_configurations[argument.name] for argument in arguments}
    for argument in arguments:
        value = values[argument.name]
        if argument.choices == FLAG:
            value = values[argument.name] = value.lower()
        if argument.choices and value not in ("", *argument.choices):
            raise UserError(
                f"{argument.name}:={value}: must be one of {', '.join(argument.choices)}"
                f"{did_you_mean(value, argument.choices, alike=_CHOICE_ALIKE)}"
            )
    if values.get("log_level"):
        check_log_level(values["log_level"])
    return values


def started_itself(file: str) -> bool:
    """Return whether a launch file was named on the command line, rather than included by another one."""
    return any(Path(word).name == Path(file).name for word in sys.argv[1:])


def _refuse_others(words: Sequence[str], elsewhere: Mapping[str, str], file: str) -> None:
    """Refuse an argument of the command line that the other launch file has; launch would ignore it."""
    for word in words:
        name, given, _ = word.partition(":=")
        if given and name in elsewhere:
            raise UserError(f"{word}: {file} has no such argument: {elsewhere[name]}")


def _refuse_mistyped(words: Sequence[str], arguments: Sequence[Argument]) -> None:
    """Refuse an argument of the command line that is not known but resembles one; launch ignores it.

    One that resembles none may be meant for somebody else, such as ``launch-prefix``.
    """
    known = [argument.name for argument in arguments]
    for word in words:
        name, given, _ = word.partition(":=")
        if given and name not in known and did_you_mean(name, known, alike=_ALIKE):
            raise UserError(f"{word}: there is no argument {name!r}{did_you_mean(name, known, alike=_ALIKE)}")
