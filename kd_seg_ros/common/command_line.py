"""The frame of every command of both halves: reading options, logging, and how a command ends.

A command is a module with two functions: ``add_arguments(parser)`` declares its options, ``run(args)`` does
the work and returns the exit status. It prints its results to standard output and nothing else; what it is
doing goes to the log, which :func:`run_command` shows on standard error. A module imports only at run time
what takes long to load or may be missing, so that ``--help`` and the shell's completion answer at once.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, NoReturn, Protocol, cast

from kd_seg_ros import __version__
from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.common.logs import terminal_logging
from kd_seg_ros.common.suggest import did_you_mean, nearest

USER_ERROR: Final = 2
"""Exit status after a mistake of the user."""
INTERRUPTED: Final = 130
"""Exit status after Ctrl-C, as a shell reports it: 128 + SIGINT."""

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

REMEDIES: Final[dict[tuple[str, ...], str]] = {
    ("rosbags",): "pip install rosbags",
    (
        *("rclpy", "ament_index_python", "builtin_interfaces", "diagnostic_msgs", "rcl_interfaces"),
        *("rosgraph_msgs", "sensor_msgs", "std_msgs", "std_srvs"),
    ): "source a ROS 2 install, or pip install 'kd_seg_ros[ros]'",
    (
        *("torch", "torchvision", "timm", "lightning", "tensorboard", "rich", "onnx", "onnxscript"),
        *("pydantic", "safetensors", "PIL", "scipy", "tqdm", "matplotlib", "jinja2"),
    ): "install the offline half: pip install 'kd_seg_ros[distill]'",
    ("transformers",): "pip install 'kd_seg_ros[teachers]'",
    ("onnxruntime",): "pip install onnxruntime-gpu, or onnxruntime where there is no NVIDIA GPU",
}
"""Packages that may be missing on a machine → what to do."""


class Command(Protocol):
    """What a command's module offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""

    def run(self, args: argparse.Namespace) -> int:
        """Do the work; return the exit status."""


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
    """Reads a command line; one line says what is wrong with it and what to do."""

    def __init__(self, prog: str, description: str, quiet: bool = True, **settings: Any) -> None:
        """Make a parser with ``--help`` and ``--version``.

        :param quiet: with ``--quiet``, too.
        """
        settings.setdefault("formatter_class", HelpFormatter)
        super().__init__(prog, description=description, allow_abbrev=False, add_help=False, **settings)
        self._general = self.add_argument_group("of every command")
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
        """End the program with one line."""
        message = " ".join(message.removeprefix("argument ").split())
        see = " See" if message.endswith("?") else "; see"
        self.exit(USER_ERROR, f"error: {message}{see} `{self.prog} --help`\n")

    def _refuse_unknown(self, option: str, keys_taken: bool) -> None:
        """End the program for an option that is not known, unless it can be a key of a configuration."""
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


def run_command(prog: str, text: str, module: str, arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status, see :func:`end_cleanly`.

    :param prog: what the user types, such as ``kd_seg fit``.
    :param text: what the command does, for its help.
    :param module: full name of the command's module, imported only now.
    :param arguments: the words after ``prog`` (default: the process').
    """
    return end_cleanly(prog, partial(_run, prog, text, module, arguments))


def end_cleanly(prog: str, action: Callable[[], int]) -> int:
    """Run a command; return its exit status, or one that says how it ended.

    That is 2 after a user's mistake, which is printed in one line, 130 after Ctrl-C, and 1 where nobody reads
    the output any more.
    """
    try:
        status = action()
        sys.stdout.flush()
        return status
    except UserError as error:
        return fail(one_line(error))
    except ImportError as error:
        remedy = remedy_for(error.name or "")
        if remedy is None:
            raise
        if isinstance(error, ModuleNotFoundError):
            return fail(f"{prog} needs the Python package {error.name}: {remedy}")
        return fail(f"{prog}: {first_line(error)}: {remedy}")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of `kd_seg … | head` has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _run(prog: str, text: str, module: str, arguments: Sequence[str] | None) -> int:
    command = cast(Command, importlib.import_module(module))
    parser = Parser(prog, text)
    command.add_arguments(parser)
    offer_completion(parser)
    args = parser.read(sys.argv[1:] if arguments is None else arguments)
    with terminal_logging(args.quiet):
        return int(command.run(args))


def fail(message: str, status: int = USER_ERROR) -> int:
    """Print one line about an error; return the exit status."""
    print(f"error: {message}", file=sys.stderr)
    return status


def one_line(error: UserError) -> str:
    """Return the message of an error.

    That of a DataLoader's worker process arrives wrapped in its traceback, whose last line is the message.
    """
    message = (str(error).strip() or type(error).__name__).splitlines()[-1]
    return message.removeprefix(f"{UserError.__module__}.{UserError.__name__}: ")


def remedy_for(package: str) -> str | None:
    """Return what to do about a missing package; None for one that every install has."""
    for names, remedy in REMEDIES.items():
        if package.partition(".")[0] in names:
            return remedy
    return None


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Declare ``--json``: the result as JSON instead of a table."""
    parser.add_argument(
        "--json", action="store_true", help="print the result as JSON, and nothing else on standard output"
    )


def print_json(document: Any) -> None:
    """Print a command's result for ``--json``; numbers that JSON does not have (NaN, ∞) become null."""
    print(json.dumps(_finite(document), indent=2, ensure_ascii=False, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def offer_completion(parser: argparse.ArgumentParser) -> None:
    """Answer the shell's request for completions and end, if this is such a request.

    Without argcomplete there are none to offer; the command itself is not run either.
    """
    if "_ARGCOMPLETE" not in os.environ:
        return
    try:
        import argcomplete
    except ImportError:
        raise SystemExit(1) from None
    argcomplete.autocomplete(parser)


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
