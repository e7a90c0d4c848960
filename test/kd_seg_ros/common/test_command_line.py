"""The frame that all commands share: what it accepts, what it refuses and how, and how a command ends."""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from kd_seg_ros import __version__
from kd_seg_ros.common.command_line import (
    RENAMED,
    Parser,
    add_json_option,
    end_cleanly,
    print_json,
    remedy_for,
    run_command,
)
from kd_seg_ros.common.errors import UserError

LOGGER = logging.getLogger("kd_seg_ros.made_up")


@pytest.fixture
def parser() -> Parser:
    parser = Parser("kd_seg test", "Test the frame.")
    parser.add_argument("bag", metavar="BAG")
    parser.add_argument("--model", required=True)
    parser.add_argument("--provider", choices=("cuda", "cpu"), default="cpu", help="what to run on")
    return parser


@pytest.fixture
def keyed() -> Parser:
    parser = Parser("kd_seg fit", "Train.")
    parser.add_argument("--config", required=True)
    parser.add_argument("--resume", action="store_true")
    parser.set_defaults(overrides=[])
    return parser


def refused(parser: Parser, words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as end:
        parser.read(words)
    assert end.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert printed.err.endswith(f"`{parser.prog} --help`\n")
    return printed.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["x"], "the following arguments are required: --model"),
        (["x", "--modle", "m"], "there is no option --modle; did you mean --model? See `"),
        (["x", "--qqq"], "there is no option --qqq; see `"),
        (["x", "--checkpoint", "m"], "--checkpoint is now --model"),
        (["x", "--checkpoint=m"], "--checkpoint is now --model"),
        (["--bag", "x", "--model", "m"], "--bag is now given without an option: kd_seg test BAG"),
        (["x", "--model", "m", "--provider", "gpu"], "--provider: there is no 'gpu'; did you mean 'cpu'?"),
        (["x", "--model", "m", "--provider", "zzz"], "there is no 'zzz'; choose from cuda, cpu"),
        (["x", "y", "--model", "m"], "unrecognized arguments: y"),
        (["x", "--mod", "m"], "did you mean --model?"),
        (["x", "--model"], "--model: expected one argument"),
    ],
)
def test_one_line_says_what_is_wrong_and_what_to_do(
    parser: Parser, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refused(parser, words, capsys)


def test_of_several_new_names_the_one_is_given_that_the_command_has(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert RENAMED["--labels"] == ("--labels-topic", "--acdc", "--with-labels")
    parser = Parser("make_bag", "Make a bag.")
    parser.add_argument("--acdc")
    assert "--labels is now --acdc;" in refused(parser, ["--labels", "x"], capsys)


def test_an_old_name_that_means_something_else_here_is_taken() -> None:
    parser = Parser("kd_seg stats", "Statistics.")
    parser.add_argument("--labels")
    assert parser.read(["--labels", "x"]).labels == "x"


def test_unknown_options_can_be_keys_of_a_configuration(keyed: Parser) -> None:
    words = ["--data.root", "d", "--config", "c", "--training.epochs=3", "--name", "-1", "--resume"]
    args = keyed.read(words)
    assert args.overrides == ["--data.root", "d", "--training.epochs=3", "--name", "-1"]
    assert (args.config, args.resume) == ("c", True)


def test_keys_leave_the_positional_arguments_alone() -> None:
    parser = Parser("kd_seg config", "Print.")
    parser.add_argument("experiment")
    parser.set_defaults(overrides=[])
    args = parser.read(["--training.epochs", "3", "j_rn18"])
    assert (args.experiment, args.overrides) == ("j_rn18", ["--training.epochs", "3"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--config", "c", "--data.root"], "--data.root needs a value"),
        (["--config", "c", "--data.root", "--resume"], "--data.root needs a value"),
        (["--confg", "c"], "did you mean --config?"),
        (["--config", "c", "--cache-teacher", "d"], "--cache-teacher is now --teacher.cache"),
    ],
)
def test_mistyped_options_are_not_taken_for_keys(
    keyed: Parser, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refused(keyed, words, capsys)


def test_ros_arguments_are_kept_apart(parser: Parser) -> None:
    parser.set_defaults(ros_arguments=[])
    args = parser.read(
        ["--ros-args", "-r", "a:=b", "--", "x", "--model", "m", "--ros-args", "--log-level", "x"]
    )
    assert (args.bag, args.model) == ("x", "m")
    assert args.ros_arguments == ["--ros-args", "-r", "a:=b", "--", "--ros-args", "--log-level", "x"]


def test_version_is_the_package(parser: Parser, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parser.read(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"kd_seg_ros {__version__}\n"


def test_help_states_defaults_and_ends_with_the_common_options(parser: Parser) -> None:
    parser.add_argument("--scales", nargs="+", default=[1.0, 1.5], help="factors")
    parser.add_argument("--topic", default="/a", help="of the camera (default: the only one)")
    text = " ".join(parser.format_help().split())
    assert "what to run on (default: cpu)" in text
    assert "factors (default: 1.0 1.5)" in text
    assert text.count("default") == 3
    assert text.rindex("--scales") < text.rindex("of every command:") < text.rindex("--quiet")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., int]], str]:
    """Make a module of a ``run`` function; return its name."""

    def make(run: Callable[..., int]) -> str:
        module = types.ModuleType("made_up_command")
        module.add_arguments = add_json_option  # type: ignore[attr-defined]
        module.run = run  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return module.__name__

    return make


def speaking(args: argparse.Namespace) -> int:
    LOGGER.info("reading %s", "x")
    LOGGER.warning("one is missing")
    print("result")
    return 1


def test_results_go_to_output_and_the_log_to_errors(
    command: Callable[[Callable[..., int]], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command("kd_seg x", "Do.", command(speaking), []) == 1
    assert capsys.readouterr() == ("result\n", "reading x\nwarning: one is missing\n")


def test_quiet_leaves_results_and_warnings(
    command: Callable[[Callable[..., int]], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command("kd_seg x", "Do.", command(speaking), ["--quiet"]) == 1
    assert capsys.readouterr() == ("result\n", "warning: one is missing\n")


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (UserError("--model x: does not exist"), 2, "error: --model x: does not exist"),
        (
            UserError("Traceback\n  File y\nkd_seg_ros.common.errors.UserError: x.png is damaged"),
            2,
            "error: x.png is damaged",
        ),
        (
            ModuleNotFoundError("No module named 'torch'", name="torch"),
            2,
            "error: kd_seg x needs the Python package torch: install the offline half: "
            "pip install 'kd_seg_ros[distill]'",
        ),
        (
            ModuleNotFoundError("No module named 'sensor_msgs.msg'", name="sensor_msgs.msg"),
            2,
            "error: kd_seg x needs the Python package sensor_msgs.msg: source a ROS 2 install, or "
            "pip install 'kd_seg_ros[ros]'",
        ),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_a_command_ends_in_one_line(
    error: BaseException,
    status: int,
    line: str,
    command: Callable[[Callable[..., int]], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    def failing(args: argparse.Namespace) -> int:
        raise error

    assert run_command("kd_seg x", "Do.", command(failing), []) == status
    assert capsys.readouterr() == ("", f"{line}\n")


def test_errors_of_our_own_are_not_hidden() -> None:
    def broken() -> int:
        raise ModuleNotFoundError("No module named 'kd_seg_ros.gone'", name="kd_seg_ros.gone")

    assert remedy_for("kd_seg_ros.gone") is None
    with pytest.raises(ModuleNotFoundError):
        end_cleanly("kd_seg x", broken)


def test_a_reader_that_leaves_early_costs_no_traceback() -> None:
    code = (
        "import sys; from kd_seg_ros.common.command_line import end_cleanly\n"
        "def run():\n    for _ in range(100_000): print('a line')\n    return 0\n"
        "sys.exit(end_cleanly('x', run))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_json_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"größe": [1, 2.5, (None, float("nan"))], "name": "x"})
    assert json.loads(capsys.readouterr().out) == {"größe": [1, 2.5, [None, None]], "name": "x"}


def test_completion_is_answered_by_argcomplete_where_it_is_installed(
    command: Callable[[Callable[..., int]], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    offered: list[list[str]] = []

    def autocomplete(parser: argparse.ArgumentParser) -> None:
        offered.append(sorted(parser._option_string_actions))
        raise SystemExit(0)

    stand_in = types.ModuleType("argcomplete")
    stand_in.autocomplete = autocomplete  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "argcomplete", stand_in)
    monkeypatch.setenv("_ARGCOMPLETE", "1")
    with pytest.raises(SystemExit):
        run_command("x", "Do.", command(speaking), [])
    assert offered == [["--help", "--json", "--quiet", "--version", "-h"]]


def test_without_argcomplete_a_request_for_completion_runs_nothing_else(
    command: Callable[[Callable[..., int]], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "argcomplete", None)
    monkeypatch.setenv("_ARGCOMPLETE", "1")
    with pytest.raises(SystemExit):
        run_command("x", "Do.", command(speaking), [])


def test_the_frame_loads_nothing_heavy() -> None:
    code = "import sys, kd_seg_ros.common.command_line\nprint('numpy' in sys.modules or 'cv2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    assert Path(os.devnull).exists()
