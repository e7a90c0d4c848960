"""A program in a separate process: started, watched over, asked to end, and quoted when it fails."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from kd_seg_ros.common.errors import UserError

START_S: Final = 60.0
"""Seconds within which a program must say that it is ready; loading a large model takes most of them."""
STOP_S: Final = 20.0
"""Seconds within which a program must end after it was asked to."""

_QUOTED_LINES: Final = 10


class ProcessError(RuntimeError):
    """A program, or the talk between programs, has failed, without a mistake of the user (exit status 1)."""


class ChildProcess:
    """A command in a separate process, its standard output and error in a log file.

    As a context it is ended when the block ends: by SIGTERM, and by force after :data:`STOP_S` seconds.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start the command.

        :param name: what messages call it, such as ``node``.
        :param log: file for what it prints; None: one without a name, which goes with this object.
        :param environment: added to that of this process.
        """
        self.name = name
        with log.open("w+b") if log else tempfile.TemporaryFile() as output:
            self._process = subprocess.Popen(
                command,
                env=os.environ | {"PYTHONUNBUFFERED": "1"} | dict(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            self._log = os.dup(output.fileno())
        weakref.finalize(self, os.close, self._log)

    def __enter__(self) -> ChildProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGTERM)

    @property
    def pid(self) -> int:
        """The process id, as in /proc."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the program has not ended yet."""
        return self._process.poll() is None

    @property
    def output(self) -> str:
        """All that it has printed up to now."""
        # The program shares the place in the file: read without moving it.
        return os.pread(self._log, os.fstat(self._log).st_size, 0).decode(errors="replace")

    @property
    def lines(self) -> list[str]:
        """The lines that it has printed up to now."""
        return self.output.splitlines()

    def wait_for(
        self, text: str, meanwhile: Callable[[], object] | None = None, seconds: float = START_S
    ) -> None:
        """Wait until it has printed a line with ``text``.

        :param meanwhile: called again and again; without it, this thread sleeps.
        :raises ProcessError: if it ends, or ``seconds`` pass, before that; UserError as in :meth:`must_run`.
        """
        end = time.monotonic() + seconds
        while text not in self.output:
            self.must_run()
            if time.monotonic() > end:
                raise ProcessError(
                    f"the {self.name} has not printed {text!r} within {seconds:g} s; {self._quote()}"
                )
            if meanwhile is None:
                time.sleep(0.05)
            else:
                meanwhile()

    def must_run(self) -> None:
        """Check that it has not ended.

        :raises UserError: if it has, with exit status 2 and an ``error:`` line: what it was given is wrong.
        :raises ProcessError: if it has in any other way.
        """
        if not self.running:
            raise self._ended()

    def must_succeed(self) -> None:
        """Wait for its end; raise as :meth:`must_run` does unless it ends in time with exit status 0."""
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired as error:
            raise ProcessError(f"the {self.name} does not end; {self._quote()}") from error
        if self._process.returncode:
            raise self._ended()

    def result(self) -> dict[str, Any]:
        """Wait for its end and return the JSON object in the last line that it has printed.

        :raises ProcessError: if there is none, or as :meth:`must_succeed`.
        """
        self.must_succeed()
        try:
            return dict(json.loads(self.lines[-1]))
        except (IndexError, TypeError, ValueError) as error:
            raise ProcessError(f"the {self.name} gave no result; {self._quote()}") from error

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> None:
        """Send a signal, by default the one that Ctrl-C sends, if it still runs."""
        if self.running:
            self._process.send_signal(number)

    def wait(self, seconds: float = STOP_S) -> int:
        """Return its exit status; a program that takes longer than ``seconds`` to end is ended by force."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        except BaseException:  # a second Ctrl-C: nothing may be left running
            self._process.kill()
            self._process.wait()
            raise

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ask it to end by a signal, force it if it does not, and return its exit status."""
        self.interrupt(number)
        return self.wait()

    def _ended(self) -> Exception:
        status = self._process.returncode
        refusals = [line for line in self.lines if "error: " in line]
        if status == 2 and refusals:
            return UserError(f"the {self.name} does not start: {refusals[-1].partition('error: ')[2]}")
        return ProcessError(f"the {self.name} has ended with exit code {status}; {self._quote()}")

    def _quote(self) -> str:
        last = self.lines[-_QUOTED_LINES:] or ["(it has printed nothing)"]
        return "\n".join(["its last lines:", *last])


def python_module(
    name: str,
    module: str,
    *arguments: str,
    log: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> ChildProcess:
    """Start ``python -m MODULE ARGUMENTS`` with this process' Python, as a :class:`ChildProcess`."""
    return ChildProcess(name, [sys.executable, "-m", module, *arguments], log, environment)
