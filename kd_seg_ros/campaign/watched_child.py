"""The parent's side of the process that tries cases: asked, watched over, ended and started again."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any, Final

from kd_seg_ros.campaign.case import Case
from kd_seg_ros.campaign.outcome import Outcome, Verdict
from kd_seg_ros.common.child_process import ProcessError
from kd_seg_ros.common.ros_environment import isolated_domain

START_S: Final = 180.0
"""Seconds within which a suite must be loaded; importing PyTorch on a busy machine takes the most."""
CASE_S: Final = 60.0
"""Seconds within which a case must end."""
MEMORY_LIMIT: Final = 5 * 2**28
"""Bytes that a case may take on top of what the process had before: a bag's message may have 1 GiB."""
_LOOK_S: Final = 0.05


class WatchedChild:
    """A child process that tries cases; a new one follows a crash, a hang or a case of too much memory."""

    def __init__(self, modules: dict[str, str], case_s: float = CASE_S, memory: int = MEMORY_LIMIT) -> None:
        """Start nothing yet.

        :param modules: suite → its module.
        :param case_s: seconds within which a case must end.
        :param memory: bytes that a case may take on top of what the process had before.
        """
        self._modules = modules
        self._case_s = case_s
        self._memory = memory
        self._process: subprocess.Popen[bytes] | None = None
        self._loaded: set[str] = set()
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as this object)

    def try_case(self, case: Case, folder: Path) -> Verdict:
        """Try a case; its input is made in ``folder``.

        :raises ProcessError: if its suite cannot be loaded.
        """
        module = self._modules[case.suite]
        if self._process is None:
            self._start()
        if case.suite not in self._loaded:
            verdict = self._ask({"module": module}, START_S)
            if verdict.outcome is not Outcome.RIGHT:
                raise ProcessError(f"the suite {case.suite} cannot be loaded: {verdict.detail}")
            self._loaded.add(case.suite)
        request = {
            "module": module,
            "name": case.name,
            "seed": case.seed,
            "folder": str(folder),
            "memory": self._memory,
        }
        return self._ask(request, self._case_s)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                pipe.close()
        self._process = None
        self._loaded = set()

    def _start(self) -> None:
        self._log.seek(0)
        self._log.truncate()
        environment = os.environ | isolated_domain(os.environ) | {"OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kd_seg_ros.campaign.child"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,  # Ctrl-C is for the parent alone
        )

    def _ask(self, request: dict[str, Any], seconds: float) -> Verdict:
        """Send a request and wait for the answer, for the end of the process, or for a limit."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        before = _resident(process.pid)
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        except OSError:
            return self._died()
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while not selector.select(_LOOK_S):
                taken = _resident(process.pid) - before
                if "name" in request and taken > 2 * self._memory:
                    self.close()
                    return Verdict(Outcome.MEMORY, f"ended when it had taken {taken / 1e9:.1f} GB")
                if time.monotonic() > deadline:
                    self.close()
                    return Verdict(Outcome.HANG, f"no answer within {seconds:g} s")
        line = process.stdout.readline()
        if not line.endswith(b"\n"):
            return self._died()
        answer = json.loads(line)
        return Verdict(Outcome(answer["outcome"]), answer["detail"])

    def _died(self) -> Verdict:
        assert self._process is not None
        status = self._process.wait()
        last = self._last_lines()
        self.close()
        name = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        return Verdict(Outcome.CRASH, f"{name}; {last}")

    def _last_lines(self) -> str:
        size = os.fstat(self._log.fileno()).st_size
        tail = os.pread(self._log.fileno(), 2000, max(size - 2000, 0)).decode(errors="replace")
        return " | ".join(tail.splitlines()[-3:])


def _resident(pid: int) -> int:
    """Return the memory that a process holds, bytes; 0 if it has ended."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
