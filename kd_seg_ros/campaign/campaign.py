"""Many cases in several child processes, counted by outcome; failed ones are tried again and kept."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock, Thread
from typing import Any, Final

from kd_seg_ros.campaign.case import Case
from kd_seg_ros.campaign.outcome import Outcome, Verdict
from kd_seg_ros.campaign.watched_child import CASE_S, MEMORY_LIMIT, WatchedChild

REPORT_S: Final = 2.0
"""Seconds between two lines about the progress."""


@dataclass(frozen=True)
class Limits:
    """When a campaign ends."""

    cases: int | None
    """Number of cases; None: no limit."""
    seconds: float | None
    """Seconds after which no case is begun; None: no limit."""
    case_s: float = CASE_S
    """Seconds within which a case must end."""
    memory: int = MEMORY_LIMIT
    """Bytes that a case may take on top of what its process had before."""


@dataclass
class Results:
    """What came of the cases."""

    counts: dict[str, Counter[Outcome]] = field(default_factory=dict)
    """Suite → number of cases by outcome."""
    failures: list[tuple[Case, Verdict]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def tried(self) -> int:
        """Number of cases that have ended."""
        return sum(sum(counter.values()) for counter in self.counts.values())

    def add(self, case: Case, verdict: Verdict) -> None:
        """Count a case."""
        self.counts.setdefault(case.suite, Counter())[verdict.outcome] += 1
        if not verdict.outcome.good:
            self.failures.append((case, verdict))

    def figures(self) -> dict[str, Any]:
        """Return the results for ``--json``."""
        counts: dict[str, dict[str, int]] = {}
        for suite, counter in self.counts.items():
            counts[suite] = {outcome.value: counter[outcome] for outcome in Outcome}
        failures = [
            {"case": str(case), "outcome": verdict.outcome.value, "detail": verdict.detail}
            for case, verdict in self.failures
        ]
        return {"cases": self.tried, "seconds": self.seconds, "suites": counts, "failures": failures}

    def table(self) -> str:
        """Return a Markdown table: a line per suite and a column per outcome."""
        lines = [
            "| suite | cases | " + " | ".join(outcome.value for outcome in Outcome) + " |",
            "|---|" + "---:|" * (1 + len(Outcome)),
        ]
        for suite, counter in [*self.counts.items(), ("all", sum(self.counts.values(), Counter()))]:
            numbers = [sum(counter.values()), *(counter[outcome] for outcome in Outcome)]
            lines.append(f"| {suite} | " + " | ".join(map(str, numbers)) + " |")
        return "\n".join(lines)


class Campaign:
    """Tries cases in child processes side by side."""

    def __init__(
        self,
        cases: Iterator[Case],
        modules: dict[str, str],
        limits: Limits,
        out: Path | None = None,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Prepare a campaign.

        :param modules: suite → its module.
        :param out: folder for the inputs of failed cases; None: they are thrown away.
        :param progress: called with a line about how far it is, now and then.
        """
        self._cases = islice(cases, limits.cases)
        self._modules = modules
        self._limits = limits
        self._out = out
        self._progress = progress
        self._lock = Lock()
        self._results = Results()
        self._error: BaseException | None = None
        self._stopped = False

    def run(self, jobs: int) -> Results:
        """Try the cases in ``jobs`` processes; after Ctrl-C return what there is.

        :raises ProcessError: if a suite cannot be loaded.
        """
        begin = time.monotonic()
        threads = [Thread(target=self._work, args=(begin,), name=f"job {number}") for number in range(jobs)]
        for thread in threads:
            thread.start()
        try:
            while any(thread.is_alive() for thread in threads):
                for thread in threads:
                    thread.join(REPORT_S / jobs)
                self._progress(self._status(time.monotonic() - begin))
        except KeyboardInterrupt:
            self._progress("interrupted: ending the cases under way")
        finally:
            self._stopped = True
            for thread in threads:
                thread.join()
        if self._error is not None:
            raise self._error
        self._results.seconds = time.monotonic() - begin
        return self._results

    def _work(self, begin: float) -> None:
        """Take cases until there are none left, in a thread."""
        child = WatchedChild(self._modules, self._limits.case_s, self._limits.memory)
        try:
            with TemporaryDirectory(prefix="kd_seg_fuzz_") as name:
                while True:
                    case = self._next(begin)
                    if case is None:
                        return
                    verdict = self._try(child, case, Path(name))
                    with self._lock:
                        self._results.add(case, verdict)
        except BaseException as error:
            self._error = error
            self._stopped = True
        finally:
            child.close()

    def _next(self, begin: float) -> Case | None:
        over = self._limits.seconds is not None and time.monotonic() - begin > self._limits.seconds
        with self._lock:
            return None if over or self._stopped else next(self._cases, None)

    def _try(self, child: WatchedChild, case: Case, folder: Path) -> Verdict:
        """Try a case, and one that fails again in a fresh process, which tells whether it fails alone."""
        verdict = _in_empty_folder(child, case, folder / "case")
        if verdict.outcome.good:
            return verdict
        child.close()
        alone = _in_empty_folder(child, case, folder / "case")
        if alone.outcome.good:
            verdict = Verdict(
                verdict.outcome, f"only after other cases in the same process: {verdict.detail}"
            )
        if self._out is not None:
            name = "".join(letter if letter.isalnum() else "_" for letter in str(case))
            shutil.copytree(folder / "case", self._out / name, dirs_exist_ok=True, symlinks=True)
        return verdict

    def _status(self, passed: float) -> str:
        """Say how many cases have ended, how many of them badly, and how long it will take."""
        with self._lock:
            tried, failed = self._results.tried, len(self._results.failures)
        left = None
        if self._limits.seconds is not None:
            left = self._limits.seconds - passed
        elif self._limits.cases is not None and tried:
            left = passed / tried * (self._limits.cases - tried)
        rest = "" if left is None else f", {max(left, 0):.0f} s left"
        return f"{tried} cases, {failed} failed{rest}"


def _in_empty_folder(child: WatchedChild, case: Case, folder: Path) -> Verdict:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return child.try_case(case, folder)


def problems(results: Results) -> Sequence[str]:
    """Return a line for each failed case: what happened, and how to try it again."""
    return [
        f"{verdict.outcome.value}: --case {str(case)!r}: {verdict.detail:.500}"
        for case, verdict in results.failures
    ]
