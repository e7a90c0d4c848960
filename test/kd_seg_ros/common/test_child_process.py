from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from kd_seg_ros.common.child_process import ChildProcess, ProcessError, python_module
from kd_seg_ros.common.errors import UserError


def python(code: str, log: Path | None = None, **environment: str) -> ChildProcess:
    return ChildProcess("painter", [sys.executable, "-c", code], log, environment)


def test_a_process_that_dies_is_reported_with_its_last_lines(tmp_path: Path) -> None:
    with python("import sys; print('all well'); sys.exit('out of paint')", tmp_path / "log") as process:
        with pytest.raises(ProcessError, match=r"painter .* exit code 1(?s:.*)out of paint"):
            process.must_succeed()
        with pytest.raises(ProcessError, match="all well"):
            process.must_run()
        with pytest.raises(ProcessError, match="exit code 1"):
            process.wait_for("ready")
    assert "out of paint" in (tmp_path / "log").read_text()


def test_a_refusal_of_what_it_was_given_is_the_users_mistake() -> None:
    arguments = ("nowhere.onnx", "image", "--size", "0", "x")
    with (
        python_module("bare run", "kd_seg_ros.benchmark.bare_run", *arguments) as process,
        pytest.raises(UserError, match="the bare run does not start: argument --size"),
    ):
        process.wait_for("ready:")


def test_processes_do_not_outlive_their_context(tmp_path: Path) -> None:
    with ChildProcess("sleeper", ["sleep", "600"], tmp_path / "log") as process:
        process.must_run()
    assert not process.running


def test_the_result_is_the_json_of_the_last_line() -> None:
    with python("print('warming up'); print('{\"frames\": 3}')") as process:
        assert process.result() == {"frames": 3}
    with python("print('nothing')") as process, pytest.raises(ProcessError, match="gave no result"):
        process.result()


def test_it_is_waited_for_while_something_else_is_done() -> None:
    done: list[int] = []
    code = "import os, time; time.sleep(0.5); print(os.environ['COLOUR']); time.sleep(60)"
    with python(code, COLOUR="ultramarine") as process:
        process.wait_for("ultramarine", lambda: done.append(1))
        with pytest.raises(ProcessError, match="has not printed 'green' within 0 s"):
            process.wait_for("green", seconds=0.0)
        assert process.stop() == -signal.SIGINT or process.stop() == 1
    assert done
