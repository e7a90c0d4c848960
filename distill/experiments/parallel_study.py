"""Trains the students of a regime several at a time, each in a process of its own.

A small student keeps one core of a CPU busy, and a second one hardly helps it: two trainings next to each
other, with one thread each, are done before the same two one after the other with two threads each.
"""

from __future__ import annotations

import logging
import signal
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

import torch

from distill.common.parallel import end_with_parent
from distill.experiments.study import Arm, Regime
from distill.experiments.study_run import run_seed
from kd_seg_ros.common.command_line import USER_ERROR
from kd_seg_ros.common.errors import UserError

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

    Seed by seed, so that an interrupted study has every arm with the first seeds. Students under way end with
    this process, however it ends.

    :param processes: number of students that are trained at a time; the threads are shared among them.
    :param progress_bar: show the one of each training; of the teacher's alone with several processes.
    :raises UserError: as :func:`run_seed` does, once the trainings that had begun have ended.
    :raises RuntimeError: likewise, if the process of a student fails.
    """
    if processes == 1:
        for seed in seeds:
            run_seed(regime, arms, seed, overrides, progress_bar=progress_bar)
        return
    run_seed(regime, [], seeds[0], overrides, progress_bar=progress_bar)
    waiting = deque((arm, seed) for seed in seeds for arm in arms)
    number = len(waiting)
    processes = max(1, min(processes, number))
    threads = max(1, torch.get_num_threads() // processes)
    running: list[_Student] = []
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                arm, seed = waiting.popleft()
                running.append(_Student(regime, arm, seed, overrides, threads))
            wait([student.sentinel for student in running])
            for student in [student for student in running if student.ended]:
                running.remove(student)
                student.check()
                done = number - len(waiting) - len(running)
                _logger.info("%d of %d students are done; the last: %s", done, number, student.name)
    except Exception:
        for student in running:  # which are worth finishing
            student.join()
        raise
    finally:
        for student in running:
            student.terminate()
        for student in running:
            student.join()


class _Student:
    """A student that is trained and evaluated in a process of its own."""

    def __init__(
        self, regime: Regime, arm: Arm, seed: int, overrides: Mapping[str, Any], threads: int
    ) -> None:
        """Start the process."""
        self.name = f"{arm.config}, seed {seed}"
        context = get_context("spawn")  # PyTorch's threads do not survive a fork
        self._fault, fault = context.Pipe(duplex=False)
        arguments = (fault, threads, regime, arm, seed, overrides)
        self._process = context.Process(target=_train, args=arguments, name=self.name)
        self._process.start()
        fault.close()

    @property
    def sentinel(self) -> int:
        """What :func:`multiprocessing.connection.wait` waits for: the end of the process."""
        return self._process.sentinel

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        return not self._process.is_alive()

    def join(self) -> None:
        """Wait for the end of the process."""
        self._process.join()

    def terminate(self) -> None:
        """Let the process end soon; nothing where it has ended. Its training can be resumed."""
        self._process.terminate()

    def check(self) -> None:
        """Raise what has ended the process, unless it has done all."""
        status = self._process.exitcode or 0
        if status == USER_ERROR:
            raise UserError(self._fault.recv())
        number = -status if status < 0 else status - 128  # by a signal; or as a shell counts it
        if number > 0:
            raise UserError(f"{self.name}: stopped by {_meaning(number)}; the same command resumes it")
        if status:
            raise RuntimeError(f"{self.name}: its process has ended with status {status}, see above")


def _meaning(number: int) -> str:
    """Name a signal, and what has sent it if that is known."""
    name = signal.Signals(number).name
    if number == signal.SIGKILL:
        return f"{name}, as Linux does where memory runs out (fewer --processes take less)"
    return name


def _train(
    fault: Connection, threads: int, regime: Regime, arm: Arm, seed: int, overrides: Mapping[str, Any]
) -> None:
    """Train a student; called in its process.

    :param fault: is told what the user has done wrong.
    :param threads: of PyTorch.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all: the parent answers it, and ends this
    end_with_parent()
    torch.set_num_threads(threads)
    try:
        run_seed(regime, [arm], seed, overrides)
    except UserError as error:
        fault.send(str(error))
        sys.exit(USER_ERROR)
