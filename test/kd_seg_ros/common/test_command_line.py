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

from kd_seg_ros.common.command_line import (
    add_json_option,
    end_cleanly,
    print_json,
    remedy_for,
    run_command,
)
from kd_seg_ros.common.errors import UserError

LOGGER = logging.getLogger("kd_seg_ros.made_up")


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


def test_a_wrong_command_line_is_a_mistake_of_the_user(
    command: Callable[[Callable[..., int]], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command("kd_seg x", "Do.", command(speaking), ["--jsn"]) == 2
    line = "error: there is no option --jsn; did you mean --json? See `kd_seg x --help`\n"
    assert capsys.readouterr() == ("", line)


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
            f"pip install 'kd_seg_ros[distill]' (the Python in use is {sys.executable})",
        ),
        (
            ModuleNotFoundError("No module named 'sensor_msgs.msg'", name="sensor_msgs.msg"),
            2,
            "error: kd_seg x needs the Python package sensor_msgs: source a ROS 2 install, or "
            f"pip install 'kd_seg_ros[ros]' (the Python in use is {sys.executable})",
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
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "prefix", "/in/a/virtual/environment")

    def failing(args: argparse.Namespace) -> int:
        raise error

    assert run_command("kd_seg x", "Do.", command(failing), []) == status
    assert capsys.readouterr() == ("", f"{line}\n")


def test_without_a_virtual_environment_its_activation_is_named(
    command: Callable[[Callable[..., int]], str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As under ``ros2 run`` in a terminal where it was forgotten."""
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)

    def failing(args: argparse.Namespace) -> int:
        raise ModuleNotFoundError("No module named 'onnxruntime'", name="onnxruntime")

    assert run_command("segmentation_node", "Do.", command(failing), []) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"the Python in use is {sys.executable}, without a virtual environment" in line
    assert "activate it by `source ITS_FOLDER/bin/activate`" in line


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
