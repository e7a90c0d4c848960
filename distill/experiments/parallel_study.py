"""Trains the students of a regime several at a time, each in a process of its own.

A small student keeps one core of a CPU busy, and a second one hardly helps it: two trainings next to each
other, with one thread each, are done before the same two one after the other with two threads each.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any

import torch

from distill.experiments.study import Arm, Regime
from distill.experiments.study_run import run_seed

_logger = logging.getLogger(__name__)


def run_seeds(
    regime: Regime,
    arms: Sequence[Arm],
    seeds: Sequence[int],
    overrides: Mapping[str, Any],
    *,
    processes: int = 1,
    progress_bar: bool = False,
) -> None:
    """Train and evaluate the teacher of a regime, then its students, seed by seed; what is done is kept.

    Seed by seed, so that an interrupted study has every arm with the first seeds.

    :param processes: number of students that are trained at a time; the threads are shared among them.
    :param progress_bar: show the one of each training; of the teacher's alone with several processes.
    :raises UserError: as :func:`run_seed` does, once the trainings that had begun have ended.
    """
    if processes == 1:
        for seed in seeds:
            run_seed(regime, arms, seed, overrides, progress_bar=progress_bar)
        return
    run_seed(regime, [], seeds[0], overrides, progress_bar=progress_bar)
    students = [(arm, seed) for seed in seeds for arm in arms]
    processes = max(1, min(processes, len(students)))
    threads = max(1, torch.get_num_threads() // processes)
    # PyTorch's threads do not survive a fork.
    with ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(threads,)
    ) as pool:
        runs = {
            pool.submit(run_seed, regime, [arm], seed, overrides): f"{arm.config}, seed {seed}"
            for arm, seed in students
        }
        try:
            for count, run in enumerate(as_completed(runs), start=1):
                run.result()
                _logger.info("%d of %d students are done; the last: %s", count, len(runs), runs[run])
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
