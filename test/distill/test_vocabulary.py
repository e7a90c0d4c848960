"""One vocabulary: an option that several commands have is spelled and read alike in all of them."""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
from collections import defaultdict

import pytest

from distill.__main__ import COMMANDS
from kd_seg_ros.common.command_line import Command
from kd_seg_ros.common.parser import RENAMED, Parser

MODULES = {name: entry.module for name, entry in COMMANDS.items() if ":" not in entry.module}
PRINT_A_TABLE = {
    *("experiments", "config", "evaluate", "calibrate", "compare", "models", "stats", "check-data"),
    *("segment-bag", "score-node", "predict", "benchmark", "fuzz"),
}

MEANINGS = {
    "--model": "model file: a checkpoint or an ONNX file",
    "--out": "the result of the command",
    "--json": "the result as JSON on standard output",
    "--provider": "what ONNX Runtime runs on",
    "--size": "height and width of the camera image",
    "--skip-unlabelled": "leave out images whose labels are missing",
    "--limit": "the first N images or frames only",
    "--frames": "number of frames to make or send",
    "--hertz": "images per second",
    "--rate": "speed of a replay, 1: as recorded",
    "--topic": "camera topic of a bag",
    "--topics": "topics to play, as in `ros2 bag play`",
    "--labels-topic": "labels of a bag",
    "--condition-topic": "weather of a bag",
    "--condition": "weather to write into a bag",
    "--conditions": "weathers to choose",
    "--labels": "labels of images, a folder",
    "--acdc": "folder of ACDC",
    "--images": "images without a known layout, a folder",
    "--root": "folder of a data set of known layout",
    "--classes": "what labels mean, a YAML file",
    "--plot": "picture to draw",
    "--seconds": "time to measure for",
    "--networks": "names of networks",
    "--overwrite": "replace an earlier result",
    "--resume": "continue an earlier run",
    "--workers": "number of processes",
    "--seed": "number that all random choices follow from",
    "--timeout": "seconds after which what has not ended counts as failed",
    "--threads": "threads that compute on the CPU",
    "--max-model-memory-mb": "memory that a network may take",
    "--white-level": "value of 16-bit images that becomes white",
    "--max-image-megapixels": "largest image that is decoded",
    "--storage": "file format of a bag",
    "--compressed": "JPEG images in a bag",
    "--mean": "mean of the colours that a network expects, RGB, 0…1",
    "--std": "their standard deviation",
    "--scale": "factor by which a network sees the camera image resized",
    "--min-confidence": "confidence below which pixels have no class",
    "--rotate": "degrees by which images are turned clockwise",
    "--video": "video of images and classes, a file",
    "--marks": "hatch classes that colour-blind readers confuse",
    "--no-marks": "do not",
    "--legend": "which classes a picture names next to their colours",
    "--write": "document whose marked tables are replaced",
    "--metrics": "file for the scores where --out is something else",
}
"""Words that more than one command has, or that could be mistaken for another; each has one meaning."""

SEVERAL_FORMS = {
    "--out": "a file, a folder or a bag, as its metavar says",
    "--model": "several files for the benchmark of a GPU",
    "--topic": "several cameras for segment-bag",
    "--conditions": "also clear weather for scenes",
}
"""Options whose form differs between commands, and why."""


def parser_of(name: str) -> Parser:
    command: Command = importlib.import_module(MODULES[name])
    parser = Parser(f"kd_seg {name}", COMMANDS[name].text)
    command.add_arguments(parser)
    return parser


PARSERS = {name: parser_of(name) for name in MODULES}


def options(parser: Parser) -> dict[str, argparse.Action]:
    return {name: action for name, action in parser._option_string_actions.items() if name.startswith("--")}


def form(action: argparse.Action) -> tuple[object, ...]:
    """What the user has to write after an option."""
    values = tuple(action.choices) if action.choices is not None else action.metavar
    return type(action).__name__, action.nargs, values


def test_an_option_has_one_form_in_all_commands() -> None:
    forms = defaultdict(lambda: defaultdict(list))  # type: ignore[var-annotated]
    for name, parser in PARSERS.items():
        for option, action in options(parser).items():
            forms[option][form(action)].append(name)
    differing = {option: dict(found) for option, found in forms.items() if len(found) > 1}
    assert set(differing) == set(SEVERAL_FORMS), differing


def test_every_shared_word_has_a_meaning_written_down() -> None:
    commands = defaultdict(list)
    for name, parser in PARSERS.items():
        for option in options(parser):
            commands[option].append(name)
    general = {"--help", "--version", "--quiet"}
    data = {"--dataset", "--split"}
    shared = {option for option, names in commands.items() if len(names) > 1} - general - data
    assert shared <= set(MEANINGS)
    assert set(MEANINGS) <= set(commands)


def test_every_command_has_the_general_options() -> None:
    for parser in PARSERS.values():
        assert {"--help", "--version", "--quiet"} <= set(options(parser))


def test_what_prints_a_table_prints_json_as_well() -> None:
    assert {name for name, parser in PARSERS.items() if "--json" in options(parser)} == PRINT_A_TABLE


@pytest.mark.parametrize("name", PARSERS)
def test_every_option_says_what_it_is_for(name: str) -> None:
    for action in PARSERS[name]._actions:
        what = f"{name} {action.option_strings or action.metavar}"
        assert action.help, what
        assert len(action.help.split()) >= 3, f"{what}: {action.help}"
        assert not action.help.endswith("."), f"{what}: {action.help}"
        takes_a_value = action.nargs != 0 and action.choices is None
        assert not takes_a_value or action.metavar, f"{what} has no metavar"
        if isinstance(action.metavar, str) and action.option_strings:
            assert action.metavar.upper() == action.metavar.replace("x", "X"), what


def test_no_option_has_a_name_that_was_given_up() -> None:
    # --labels, --bag and --rate live on with one meaning each: labels of images, and the speed of a replay.
    alive = {"--labels", "--rate", "--condition", "--wait"}
    for name, parser in PARSERS.items():
        assert not (set(RENAMED) - alive) & set(options(parser)), name


def test_help_and_completion_load_no_torch() -> None:
    code = (
        "import importlib, json, sys\n"
        "from kd_seg_ros.common.parser import Parser\n"
        "for module in json.loads(sys.argv[1]):\n"
        "    importlib.import_module(module).add_arguments(Parser('x', ''))\n"
        "print('torch' in sys.modules or 'rclpy' in sys.modules)"
    )
    command = [sys.executable, "-c", code, json.dumps(list(MODULES.values()))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert (done.stdout, done.returncode) == ("False\n", 0), done.stderr


def test_a_vehicle_without_torch_gets_the_help_of_its_commands() -> None:
    blocked = ["torch", "torchvision", "timm", "lightning", "pydantic", "rclpy", "onnx", "matplotlib"]
    code = (
        "import json, sys\n"
        "for name in json.loads(sys.argv[1]): sys.modules[name] = None\n"
        "from distill.__main__ import main\n"
        "for name in ('segment-bag', 'make-bag', 'play-bag', 'score-node', 'benchmark', 'fuzz'):\n"
        "    try:\n        main([name, '--help'])\n"
        "    except SystemExit as end:\n        assert end.code == 0, name\n"
        "    else:\n        raise AssertionError(name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(blocked)], capture_output=True, text=True, timeout=600
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("usage: kd_seg") == 6
