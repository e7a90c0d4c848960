"""The frame of every command of both halves: reading options, logging, and how a command ends.

A command is a module with two functions: ``add_arguments(parser)`` declares its options, ``run(args)`` does
the work and returns the exit status. It prints its results to standard output and nothing else; what it is
doing goes to the log, which :func:`run_command` shows on standard error. A module imports only at run time
what takes long to load or may be missing, so that ``--help`` and the shell's completion answer at once.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Protocol, cast

from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.common.files import reason
from kd_seg_ros.common.logs import terminal_logging
from kd_seg_ros.common.long_calls import end_long_calls_on_signals
from kd_seg_ros.common.option_types import confidence, count, whole
from kd_seg_ros.common.parser import Parser

USER_ERROR: Final = 2
"""Exit status after a mistake of the user."""
INTERRUPTED: Final = 130
"""Exit status after Ctrl-C, as a shell reports it: 128 + SIGINT."""

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
    ("transformers",): "pip install 'kd_seg_ros[huggingface]'",
    ("cv2",): "apt install python3-opencv, or pip install opencv-python-headless",
    ("numpy",): "apt install python3-numpy, or pip install numpy",
    ("yaml",): "apt install python3-yaml, or pip install PyYAML",
    ("onnxruntime",): "pip install onnxruntime-gpu, or onnxruntime where there is no NVIDIA GPU",
}
"""Packages that may be missing on a machine → what to do."""


_OF_THE_SYSTEM: Final = (
    *(errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT),
    *(errno.EIO, errno.ESTALE, errno.ENXIO, errno.ENODEV),
)
"""Numbers of the system's errors that are about the machine or the path, and never about this program."""


class Command(Protocol):
    """What a command's module offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""

    def run(self, args: argparse.Namespace) -> int:
        """Do the work; return the exit status."""


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
            # What can be installed is the package: of `rclpy.executors` that is `rclpy`.
            package = (error.name or "").partition(".")[0]
            return fail(f"{prog} needs the Python package {package}: {remedy}{_python_in_use()}")
        return fail(f"{prog}: {first_line(error)}: {remedy}{_python_in_use()}")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of `kd_seg … | head` has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        # A path that no system could have, or that the system does not let this user have, wherever it is
        # first looked at.
        if error.errno not in _OF_THE_SYSTEM or error.filename is None:
            raise
        return fail(f"{error.filename}: {reason(error)}")


def _python_in_use() -> str:
    """Name the Python that lacks a package: often it is not the one that the package was installed for."""
    if sys.prefix != sys.base_prefix:
        return f" (the Python in use is {sys.executable})"
    return (
        f" (the Python in use is {sys.executable}, without a virtual environment: if one has the package, "
        "activate it by `source ITS_FOLDER/bin/activate`)"
    )


def _run(prog: str, text: str, module: str, arguments: Sequence[str] | None) -> int:
    command = cast(Command, importlib.import_module(module))
    parser = Parser(prog, text)
    command.add_arguments(parser)
    offer_completion(parser)
    args = parser.read(sys.argv[1:] if arguments is None else arguments)
    end_long_calls_on_signals()
    with terminal_logging(args.quiet):
        return int(command.run(args))


def fail(message: str, status: int = USER_ERROR) -> int:
    """Print one line about an error; return the exit status."""
    print(f"error: {message}", file=sys.stderr)
    return status


def one_line(error: UserError) -> str:
    """Return the message of an error.

    That of a DataLoader's worker process arrives wrapped in its traceback, after the name of its class. Line
    breaks that are left are those of a file's name, and are shown as such.
    """
    message = str(error).strip() or type(error).__name__
    message = message.rpartition(f"{UserError.__module__}.{UserError.__name__}: ")[2]
    return "\\n".join(message.splitlines())


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


def add_threads_option(parser: argparse.ArgumentParser) -> None:
    """Declare ``--threads``: how many threads compute on the CPU."""
    parser.add_argument(
        "--threads",
        type=count,
        default=0,
        metavar="N",
        help="threads that compute on the CPU (default: one for each core that the process is allowed on)",
    )


def add_confidence_option(parser: argparse.ArgumentParser) -> None:
    """Declare ``--min-confidence``: which pixels lose their class."""
    parser.add_argument(
        "--min-confidence",
        type=confidence,
        default=0.0,
        metavar="P",
        help="pixels with a lower confidence get no class: 0…1, or rules that the model file was calibrated "
        "for, such as road@0.01",
    )


def add_memory_option(parser: argparse.ArgumentParser) -> None:
    """Declare ``--max-model-memory-mb``: how much memory the network may take."""
    parser.add_argument(
        "--max-model-memory-mb",
        type=whole,
        default=0,
        metavar="N",
        help="memory that the network may take, in megabytes (default: on the CPU half of the machine's)",
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
