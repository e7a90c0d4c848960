"""The processes of a replay: their surroundings, and watching over one of them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.fast_dds import large_image_environment

_PATIENCE_S: Final = 15.0  # for a process that was asked to end


class ReplayError(RuntimeError):
    """A part of the replay did not do what it must; no mistake of the user's."""


def replay_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what to add to ``environment`` for a replay that other ROS 2 nodes neither hear nor disturb.

    What the user has set stays.
    """
    added = large_image_environment(environment)
    if "ROS_DOMAIN_ID" not in environment:
        added["ROS_DOMAIN_ID"] = str(random.SystemRandom().randint(1, 101))
    if not environment.keys() & {"ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_LOCALHOST_ONLY"}:
        humble = environment.get("ROS_DISTRO") == "humble"
        added |= {"ROS_LOCALHOST_ONLY": "1"} if humble else {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    return added


class Process:
    """A command in its own process, its output in a log file; killed at the latest when the context ends."""

    def __init__(self, name: str, command: list[str], log: Path) -> None:
        self.name = name
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    @property
    def output(self) -> str:
        """All it has printed up to now."""
        return self._log.read_text(errors="replace")

    def must_run(self) -> None:
        """Raise ReplayError if it has ended, or UserError if what it was given is the cause."""
        if not self.running:
            raise self._ended()

    def must_succeed(self) -> None:
        """Wait for the end; raise as :meth:`must_run` if it does not end, or not with exit code 0."""
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired as error:
            raise ReplayError(f"the {self.name} does not end; see {self._log}") from error
        if self._process.returncode:
            raise self._ended()

    def interrupt(self) -> None:
        """Send what Ctrl-C sends."""
        self._process.send_signal(signal.SIGINT)

    def _ended(self) -> Exception:
        lines = self.output.splitlines()
        refusals = [line for line in lines if line.startswith("error: ")]
        if self._process.returncode == 2 and refusals:
            return UserError(f"the {self.name} does not start: {refusals[-1].removeprefix('error: ')}")
        last = "\n".join(lines[-10:])
        return ReplayError(
            f"the {self.name} has ended with exit code {self._process.returncode}; its last lines:\n{last}"
        )
