"""The parser that all commands of both halves use: how options are read, and how wrong ones are refused."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from kd_seg_ros import __version__
from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.common.suggest import did_you_mean, nearest

RENAMED: Final[dict[str, tuple[str, ...]]] = {
    "--bag": ("--drive", "BAG"),
    "--cache-teacher": ("--teacher.cache",),
    "--chart": ("--plot",),
    "--checkpoint": ("--model",),
    "--condition": ("--condition-topic",),
    "--fps": ("--speeds",),
    "--height": ("--size",),
    "--labels": ("--labels-topic", "--acdc", "--with-labels"),
    "--models": ("--networks",),
    "--onnx": ("--model",),
    "--output": ("--out", "--logits"),
    "--rate": ("--hertz",),
    "--wait": ("--lock-step",),
    "--width": ("--size",),
}
"""Options of earlier versions → what they are called now; of several, the first that the command has.

Only an option that a command does not have is looked up. One in capitals is given without an option.
"""

_OPTION_ALIKE: Final = 0.6
_KEY_ALIKE: Final = 0.8
"""Likeness, 0…1, from which a word is taken for a mistyped option; the second where it may be a key, too."""


class HelpFormatter(argparse.HelpFormatter):
    """Ends the help of every option that has a default with it."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        text, default = action.help, action.default
        if not text or "default" in text or default in (None, False, [], argparse.SUPPRESS):
            return text
        if isinstance(default, (list, tuple)):
            return f"{text} (default: {' '.join(map(str, default))})"
        return f"{text} (default: %(default)s)"


class Parser(argparse.ArgumentParser):
    """Reads a command line; a UserError of one line says what is wrong with it and what to do."""

    def __init__(self, prog: str, description: str, quiet: bool = True, **settings: Any) -> None:
        """Make a parser with ``--help`` and ``--version``.

        :param quiet: with ``--quiet``, too.
        """
        settings.setdefault("formatter_class", HelpFormatter)
        super().__init__(prog, description=description, allow_abbrev=False, add_help=False, **settings)
        self.register("type", Path, _path)  # for all options of type Path
        self._general = self.add_argument_group("general options")
        self._general.add_argument("-h", "--help", action="help", help="print this help and exit")
        self._general.add_argument(
            "--version",
            action="version",
            version=f"kd_seg_ros {__version__}",
            help="print the version of the package and exit",
        )
        if quiet:
            self._general.add_argument(
                "--quiet",
                action="store_true",
                help="print results, warnings and errors only: no progress, no information",
            )

    def format_help(self) -> str:
        """Return the help, with the options that every command has at its end."""
        self._action_groups.remove(self._general)
        self._action_groups.append(self._general)
        return super().format_help()

    def read(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Parse a command line.

        A command with a default for ``ros_arguments`` gets there what stands between ``--ros-args`` and
        ``--``, and one with a default for ``overrides`` the options it does not know, with their values:
        they are keys of a configuration.

        :raises UserError: for a command line that is wrong.
        :raises SystemExit: with status 0, after ``--help`` and ``--version``.
        """
        own = list(arguments)
        ros_arguments: list[str] = []
        if self.get_default("ros_arguments") is not None:
            own, ros_arguments = _split_ros_arguments(own)
        overrides: list[str] = []
        keys_taken = self.get_default("overrides") is not None
        rest, own = own, []
        while rest:
            word = rest.pop(0)
            if word == "--":
                own += [word, *rest]
                break
            option, equals, _ = word.partition("=")
            if not option.startswith("--") or option in self._option_string_actions:
                own.append(word)
                continue
            self._refuse_unknown(option, keys_taken)
            overrides.append(word)
            if not equals:
                if not rest or rest[0].startswith("--"):
                    self.error(f"{option} needs a value")
                overrides.append(rest.pop(0))
        args = self.parse_args(own)
        if keys_taken:
            args.overrides = overrides
        if self.get_default("ros_arguments") is not None:
            args.ros_arguments = ros_arguments
        return args

    def error(self, message: str) -> NoReturn:
        """Refuse a command line, in place of argparse's usage and exit; raises UserError."""
        message = " ".join(message.removeprefix("argument ").split())
        see = " See" if message.endswith("?") else "; see"
        raise UserError(f"{message}{see} `{self.prog} --help`")

    def _refuse_unknown(self, option: str, keys_taken: bool) -> None:
        """Refuse an option that is not known, unless it can be a key of a configuration."""
        for new in RENAMED.get(option, ()):
            if new in self._option_string_actions or (keys_taken and "." in new):
                self.error(f"{option} is now {new}")
            if new in [action.metavar for action in self._get_positional_actions()]:
                self.error(f"{option} is now given without an option: {self.prog} {new}")
        names = [name[2:] for name in self._option_string_actions if name.startswith("--")]
        like = nearest(option[2:], names, alike=_KEY_ALIKE if keys_taken else _OPTION_ALIKE)
        if like and not (keys_taken and "." in option):
            self.error(f"there is no option {option}; did you mean --{like[0]}?")
        if not keys_taken:
            self.error(f"there is no option {option}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse a value that is not among an option's choices, naming the nearest."""
        if action.choices is not None and value not in action.choices:
            names = [str(choice) for choice in action.choices]
            advice = did_you_mean(str(value), names) or f"; choose from {', '.join(names)}"
            raise argparse.ArgumentError(action, f"there is no {value!r}{advice}")


def _path(text: str) -> Path:
    """Read a path; ``~`` is the home folder, which a shell does not replace after ``--out=``."""
    if not text.startswith("~"):
        return Path(text)
    try:
        return Path(text).expanduser()
    except RuntimeError as error:  # ~nobody/...
        raise argparse.ArgumentTypeError(f"{text}: {first_line(error)}") from error


def _split_ros_arguments(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Separate the command's own words from every ``--ros-args … [--]``, which belongs to rclpy."""
    own: list[str] = []
    ros: list[str] = []
    inside = False
    for word in arguments:
        if word == "--ros-args":
            inside = True
        (ros if inside else own).append(word)
        if word == "--":
            inside = False
    return own, ros
