"""Runs one function on many jobs in several processes, with progress and results in the jobs' order."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from threading import Thread
from typing import Any, TypeVar

import cv2
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kd_seg_ros.common.logs import progress_shown

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
    end_with_parent()


def end_with_parent() -> None:
    """Send this process SIGTERM as soon as the one that has started it has ended, however that was.

    A process of :mod:`multiprocessing` does not end when its parent is killed: it finishes what it was
    given, or waits for more without end. Does nothing in a process that was started in another way.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        Thread(target=_end_after, args=(parent,), name="end with parent", daemon=True).start()


def _end_after(parent: Any) -> None:
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
