"""Child processes and what they use, from Linux' /proc."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Final

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.fast_dds import large_image_environment

NAMESPACE: Final = "/benchmark"
IMAGE: Final = f"{NAMESPACE}/image"
"""The topic of the camera."""
START_S: Final = 60.0
STOP_S: Final = 20.0


def isolated_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what to add to ``environment``: a ROS domain of our own here, and room for large images."""
    added = large_image_environment(environment)
    added["ROS_DOMAIN_ID"] = str(random.SystemRandom().randint(1, 101))
    if environment.get("ROS_DISTRO") == "humble":
        added["ROS_LOCALHOST_ONLY"] = "1"
    else:
        added["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    return added


@dataclass(frozen=True)
class Usage:
    """What a process uses now."""

    cpu_s: float
    """Processor time since its start."""
    rss_mb: float
    """Resident memory, with Fast DDS's shared segments as far as they were touched."""
    private_mb: float
    """The part of it that belongs to the process alone: heap and stacks."""
    threads: int
    files: int
    """Open file descriptors."""


def usage(pid: int) -> Usage:
    """Read what a process uses.

    :raises UserError: if it is gone, or without Linux' /proc.
    """
    folder = Path("/proc") / str(pid)
    try:
        # The name, in brackets, may hold anything; utime and stime are the 12th and 13th behind it.
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        lines = (folder / "status").read_text().splitlines()
        files = len(list((folder / "fd").iterdir()))
    except OSError as error:
        raise UserError(
            f"process {pid} cannot be looked at (it ended, or this is no Linux): {error}"
        ) from error
    status = dict(line.split(":", 1) for line in lines if ":" in line)
    megabytes = {key: int(status[key].split()[0]) / 1024 for key in ("VmRSS", "RssAnon")}
    ticks = int(fields[11]) + int(fields[12])
    cpu = ticks / os.sysconf("SC_CLK_TCK")
    return Usage(cpu, megabytes["VmRSS"], megabytes["RssAnon"], int(status["Threads"]), files)


class Child:
    """A module of this package in a process of its own; ends with its ``with`` block."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._module = module
        self._lines: deque[str] = deque(maxlen=500)
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _read(self) -> None:
        assert self._process.stdout is not None
        self._lines.extend(line.rstrip() for line in self._process.stdout)

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def usage(self) -> Usage:
        """Read what it uses now."""
        return usage(self._process.pid)

    def wait_for(self, text: str, meanwhile: Callable[[], object] = lambda: time.sleep(0.05)) -> None:
        """Wait for a line with ``text``.

        :raises UserError: if it ends or a minute passes before.
        """
        deadline = time.monotonic() + START_S
        while not any(text in line for line in list(self._lines)):
            if not self.running:
                raise UserError(f"{self._module} ended: {self.last_words()}")
            if time.monotonic() > deadline:
                raise UserError(f"{self._module} is not ready after {START_S:g} s: {self.last_words()}")
            meanwhile()

    def last_words(self) -> str:
        """Return its last error, or the last line."""
        self._reader.join(0 if self.running else 5)
        lines = list(self._lines)
        errors = [line for line in lines if "error" in line.lower()]
        return (errors or lines or ["it said nothing"])[-1]

    def check(self) -> None:
        """Raise UserError if it has ended by itself with an error."""
        if self._process.poll():
            raise UserError(
                f"{self._module} ended with status {self._process.returncode}: {self.last_words()}"
            )

    def result(self) -> dict[str, Any]:
        """Wait for the end; return the JSON object in its last line.

        :raises UserError: if there is none.
        """
        try:
            self._process.wait(STOP_S)
            self._reader.join(5)
            return dict(json.loads(self._lines[-1]))
        except (subprocess.TimeoutExpired, IndexError, ValueError) as error:
            raise UserError(f"{self._module} gave no result: {self.last_words()}") from error

    def stop(self) -> int:
        """End it as Ctrl-C would, by force if it does not; return its exit status."""
        if self.running:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(STOP_S)
        except BaseException:  # too slow, or a second Ctrl-C
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._reader.join(5)
            if self._process.stdout and not self._reader.is_alive():
                self._process.stdout.close()
        return self._process.returncode


class Stop:
    """Set by SIGINT or SIGTERM in a child, where rclpy waits in C and a KeyboardInterrupt would have to."""

    requested = False

    def __init__(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._request)

    def _request(self, *_: object) -> None:
        self.requested = True


def segmentation_node(model: Path, provider: str, *parameters: str) -> Child:
    """Start the node in :data:`NAMESPACE`; ``parameters`` as ``name:=value``."""
    given = [f"model:={model}", f"provider:={provider}", "diagnostics.period_s:=0.2", *parameters]
    options = [part for parameter in given for part in ("-p", parameter)]
    return Child("kd_seg_ros.node.segmentation_node", "--ros-args", "-r", f"__ns:={NAMESPACE}", *options)
