"""Do the same for many jobs in several processes, results in the order of the jobs, with progress."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

import cv2
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kd_seg_ros.common.logs import progress_shown

Job = TypeVar("Job")
Result = TypeVar("Result")
REPORTS = 5
"""Lines of progress where there is no terminal."""


def default_workers() -> int:
    """As many as this process may use processors."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_jobs(
    function: Callable[[Job], Result], jobs: Sequence[Job], workers: int, title: str
) -> Iterator[Result]:
    """Yield ``function(job)`` for every job, in order; ``function`` must be importable by its name."""
    results = _results(function, jobs, workers)
    if not progress_shown():
        yield from results
        return
    if not sys.stderr.isatty():
        for number, result in enumerate(results, 1):
            yield result
            if number * REPORTS // len(jobs) > (number - 1) * REPORTS // len(jobs):
                print(f"{title}: {number}/{len(jobs)}", file=sys.stderr, flush=True)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        yield from progress.track(results, total=len(jobs), description=title)


def _results(function: Callable[[Job], Result], jobs: Sequence[Job], workers: int) -> Iterator[Result]:
    workers = min(workers, len(jobs))
    if workers <= 1:
        yield from map(function, jobs)
        return
    # Not forked: OpenCV's threads do not survive that.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare)
    try:
        yield from pool.map(function, jobs, chunksize=4)
    finally:
        pool.shutdown(cancel_futures=True)


def _prepare() -> None:
    """One thread per process; an interrupt is the parent's to handle."""
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
