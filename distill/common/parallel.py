"""Runs one function on many jobs in several processes, with progress and results in the jobs' order."""

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

Job = TypeVar("Job")
Result = TypeVar("Result")
REPORTS = 5
"""Number of lines of progress where standard error is no terminal."""


def default_workers() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_jobs(
    function: Callable[[Job], Result], jobs: Sequence[Job], workers: int, title: str
) -> Iterator[Result]:
    """Yield ``function(job)`` for every job, in order, and report progress on standard error.

    :param function: importable by its name, as other processes need it.
    :param workers: number of processes; 1 or less: this one does everything.
    :param title: names the work in the reports of progress.
    """
    results = _results(function, jobs, workers)
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
    """Yield the results in order, computed by a pool of processes or, for one worker, here."""
    workers = min(workers, len(jobs))
    if workers <= 1:
        yield from map(function, jobs)
        return
    # Spawned, not forked: OpenCV's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare)
    try:
        yield from pool.map(function, jobs, chunksize=4)
    finally:
        pool.shutdown(cancel_futures=True)


def _prepare() -> None:
    """Prepare a worker: OpenCV uses one thread in it, and only the parent process handles an interrupt."""
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
