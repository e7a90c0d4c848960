"""The process that tries cases, one after the other: ``python -m kd_seg_ros.campaign.child``.

It reads a request per line from standard input (JSON: the suite's module, and unless the suite is only to be
loaded the case's name, seed, folder and limit of memory) and answers each with a line on standard output.
What the cases print goes to standard error. It may crash, hang or run out of memory: its parent watches it.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

from kd_seg_ros.campaign.case import load_suite
from kd_seg_ros.campaign.outcome import Outcome, Verdict, unexpected


def main() -> int:
    """Answer requests until standard input ends; return 0."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        verdict = _answer(json.loads(line))
        answer = {"outcome": verdict.outcome.value, "detail": verdict.detail}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    # Without the interpreter's tidying up, which waits for threads that a case may have left.
    os._exit(0)


def _answer(request: dict[str, Any]) -> Verdict:
    try:
        suite = load_suite(request["module"])
        if "name" not in request:
            return Verdict(Outcome.RIGHT)
        before = _restarted_peak()
        verdict = suite.try_case(request["name"], request["seed"], Path(request["folder"]))
        more = _bytes("VmHWM") - before
    except MemoryError as error:
        return Verdict(Outcome.MEMORY, str(error))
    except (Exception, SystemExit) as error:
        return unexpected(error)
    if more > request["memory"]:
        return Verdict(Outcome.MEMORY, f"{more / 1e9:.1f} GB were taken; {verdict.detail}")
    return verdict


def _restarted_peak() -> int:
    """Let the kernel record the peak of the memory from now on; return what is in use, bytes."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return _bytes("VmHWM")  # a peak that was higher before hides a lower one; the parent looks, too
    return _bytes("VmRSS")


def _bytes(field: str) -> int:
    """Return a size from the kernel's account of this process."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    sys.exit(main())
