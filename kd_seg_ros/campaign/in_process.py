"""A command run inside this process, as a user would start it, and judged by how it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import NamedTuple

from kd_seg_ros.campaign.outcome import Expected, Outcome, Verdict, refusal
from kd_seg_ros.common.command_line import USER_ERROR, run_command


class Ended(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    """What it has printed to standard output."""
    err: str
    """What it has printed to standard error."""


def run_in_process(prog: str, module: str, words: Sequence[str]) -> Ended:
    """Run a command; exceptions other than a user's mistake pass.

    :param prog: what the user types.
    :param module: full name of the command's module.
    :param words: its arguments.
    """
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = run_command(prog, "", module, words)
    return Ended(status, out.getvalue(), err.getvalue())


def judged_command(
    prog: str,
    module: str,
    words: Sequence[str],
    expected: Expected,
    problem: Callable[[Ended], str] | None = None,
) -> Verdict:
    """Run a command and judge how it ends.

    :param expected: what must come of what it is given.
    :param problem: says what is wrong with a result; empty if it is right.
    """
    ended = run_in_process(prog, module, words)
    if ended.status == USER_ERROR:
        verdict = _error(ended.err)
        if expected is Expected.SAME and verdict.outcome.good:
            return Verdict(Outcome.REFUSED, verdict.detail)
        return verdict
    if "Traceback (most recent call last)" in ended.err:
        return Verdict(Outcome.TRACEBACK, f"printed a traceback: {ended.err[-300:]!r}")
    if expected is Expected.REFUSED:
        return Verdict(Outcome.WRONG, f"taken with exit status {ended.status}, but it had to be refused")
    found = problem(ended) if problem else ""
    return Verdict(Outcome.WRONG, found) if found else Verdict(Outcome.RIGHT)


def _error(printed: str) -> Verdict:
    """Judge what a command printed before it ended with the status of a user's mistake."""
    begin = printed.find("error: ")
    if begin < 0 or "Traceback (most recent call last)" in printed:
        return Verdict(Outcome.TRACEBACK, f"no line with an error: {printed[-300:]!r}")
    return refusal(printed[begin + len("error: ") :].removesuffix("\n"))
