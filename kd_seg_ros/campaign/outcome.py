"""What can come of a malformed input, and how that is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeVar

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.picture import DecodeError
from kd_seg_ros.faults.images import Outcome as Expected

LONGEST_LINE: Final = 2000
"""Characters of the longest error message that still counts as one clear line."""

T = TypeVar("T")


class Outcome(Enum):
    """What came of a case."""

    CLEAR_ERROR = "clear error"
    """Refused in one line."""
    RIGHT = "right answer"
    """Taken, with the result that was expected."""
    WRONG = "silently wrong"
    """Taken with another result, or taken although it had to be refused."""
    REFUSED = "refused wrongly"
    """Refused although it had to be taken."""
    TRACEBACK = "traceback"
    """An exception that is no user's mistake, or an error of several lines."""
    CRASH = "crash"
    """The process was ended by a signal, or ended by itself."""
    HANG = "hang"
    """No answer within the time limit."""
    MEMORY = "memory"
    """More memory than the limit was taken for one input."""

    @property
    def good(self) -> bool:
        """Whether it is what a user may expect of such an input."""
        return self in (Outcome.CLEAR_ERROR, Outcome.RIGHT)


@dataclass(frozen=True)
class Verdict:
    """The outcome of a case, and what was seen."""

    outcome: Outcome
    detail: str = ""
    """The error message, or what was wrong."""


def refusal(message: str) -> Verdict:
    """Judge an error message: it must be one line that is not empty."""
    if not message.strip() or "\n" in message or len(message) > LONGEST_LINE:
        return Verdict(Outcome.TRACEBACK, f"an error that is not one line: {message!r:.300}")
    return Verdict(Outcome.CLEAR_ERROR, message)


def judged(action: Callable[[], T], expected: Expected, problem: Callable[[T], str] | None = None) -> Verdict:
    """Do something with an input and judge what comes of it.

    :param action: raises UserError or DecodeError where it refuses the input; any other exception passes.
    :param expected: what must come of it; ``SAME``: the input must be taken.
    :param problem: says what is wrong with the result of ``action``; empty if it is right. None: nothing is
        known about the result.
    """
    try:
        result = action()
    except (UserError, DecodeError) as error:
        verdict = refusal(str(error))
        if expected is Expected.SAME and verdict.outcome.good:
            return Verdict(Outcome.REFUSED, verdict.detail)
        return verdict
    if expected is Expected.REFUSED:
        return Verdict(Outcome.WRONG, "taken, but it had to be refused")
    found = problem(result) if problem else ""
    return Verdict(Outcome.WRONG, found) if found else Verdict(Outcome.RIGHT)


def unexpected(error: BaseException) -> Verdict:
    """Describe an exception that is no user's mistake, and where it came from."""
    where = ""
    trace: Any = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        where = f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return Verdict(Outcome.TRACEBACK, f"{type(error).__name__} at {where}: {error!s:.300}")
