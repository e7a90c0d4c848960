"""``kd_seg``: the table of commands, and what a machine without the offline half can do."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
import sys

import pytest

from distill.__main__ import COMMANDS, main
from kd_seg_ros import __version__

HEAVY = ("torch", "torchvision", "timm", "lightning", "pydantic", "onnx", "rich", "rclpy", "transformers")

WITHOUT_HEAVY = """
import json, sys
blocked, arguments = json.loads(sys.argv[1])
for name in blocked:
    sys.modules[name] = None  # makes any import of it fail
from distill.__main__ import main
sys.exit(main(arguments))
"""


def run_without_heavy(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_HEAVY, json.dumps([HEAVY, arguments])],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        timeout=600,
    )


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_without_a_command_all_are_listed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    # Status 0 and standard output, as `ros2` answers: a list was asked for, and here it is.
    try:
        status = main(arguments)
    except SystemExit as end:
        status = int(end.code or 0)
    assert status == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: kd_seg COMMAND [options]\n")
    for name, entry in COMMANDS.items():
        assert f"\n  {name:<12} {entry.text}\n" in text


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "node"])
def test_every_command_has_a_version(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([name, "--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"kd_seg_ros {__version__}\n"


def node(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the node's command in a process of its own, whose signal handlers it replaces."""
    pytest.importorskip("rclpy")
    command = [sys.executable, "-m", "distill", "node", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


def test_the_node_has_a_version() -> None:
    done = node("--version")
    assert (done.returncode, done.stdout) == (0, f"kd_seg_ros {__version__}\n")


def test_the_node_refuses_options_that_are_not_of_ros() -> None:
    done = node("--provider", "cpu")
    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no option --provider; see")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"kd_seg_ros {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evalute"], "there is no command 'evalute'; did you mean 'evaluate'? See `kd_seg --help`"),
        (["check_data"], "did you mean 'check-data'?"),
        (["qqq"], "there is no command 'qqq'; see `kd_seg --help`"),
        (["--quiet", "fit"], "there is no option --quiet; see"),
        (["-x"], "unrecognized arguments: -x"),
    ],
)
def test_a_wrong_command_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("error: ")
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""


def test_every_command_has_its_module() -> None:
    for entry in COMMANDS.values():
        assert importlib.util.find_spec(entry.module.partition(":")[0]) is not None
        assert entry.text[0].isupper()
        assert entry.text.endswith(".")


@pytest.mark.parametrize("arguments", [[], ["--version"]])
def test_the_list_needs_neither_torch_nor_ros(arguments: list[str]) -> None:
    done = run_without_heavy(*arguments)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_missing_half_is_named() -> None:
    done = run_without_heavy("evaluate", "--model", "x.ckpt")
    assert done.returncode == 2
    assert done.stderr.startswith("error: kd_seg evaluate needs the Python package ")
    assert "pip install 'kd_seg_ros[distill]' (the Python in use is " in done.stderr
    done = run_without_heavy("node")
    assert done.returncode == 2
    assert "needs the Python package rclpy: source a ROS 2 install, or pip install" in done.stderr
