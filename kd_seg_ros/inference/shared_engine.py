"""One network for several cameras of a process: its weights, and a GPU's context, are there once.

All work on the network is done by a thread of its own, since a provider keeps memory and recorded graphs for
each thread that runs it. Callers wait for their answer. They come in through two places
(:class:`~kd_seg_ros.inference.places.Places`): while one image is in the network the next is decoded, and no
camera takes an image out of its mailbox earlier than that. So an image is at most one run of the network old
when its own begins, however many cameras there are, and each camera waits for at most one run of each other.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from threading import get_ident
from typing import Any, Final, TypeVar
from weakref import WeakValueDictionary

from kd_seg_ros.inference.engine import Engine, EngineError, Prediction
from kd_seg_ros.inference.places import Places

T = TypeVar("T")

PLACES: Final = 2
"""Threads between taking an image and having its answer: one in the network, one that decodes the next."""


class SharedEngine(Engine):
    """An engine that any number of threads may use at the same time."""

    def __init__(self, path: str | Path, provider: str = "cuda", **options: Any) -> None:
        """Open a model file, as :class:`Engine` does, in the network's own thread."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="network")
        self._ident = self._thread.submit(get_ident).result()
        self._places = Places(PLACES)
        self._failed = False
        super().__init__(path, provider, **options)

    def place(self) -> AbstractContextManager[None]:
        """Return a place, which is waited for when the block begins."""
        return self._places.place()

    def segment(self, *arguments: Any, **options: Any) -> Prediction:
        """Classify every pixel of an image, as :meth:`Engine.segment` does.

        :raises EngineError: also while the network waits for being opened again after another camera's run
            has failed.
        """
        return self._in_thread(lambda: self._segment(*arguments, **options))

    def warm_up(self) -> None:
        """Run once on noise, as :meth:`Engine.warm_up` does."""
        self._in_thread(super().warm_up)

    def reopen(self) -> None:
        """Start the provider with the file again, unless that was done since a run has failed."""
        self._in_thread(self._reopen)

    def _open(self) -> None:
        self._in_thread(super()._open)

    def _segment(self, *arguments: Any, **options: Any) -> Prediction:
        if self._failed:
            raise EngineError(f"{self._path}: waits for being opened again")
        try:
            return super().segment(*arguments, **options)
        except EngineError:
            self._failed = True
            raise

    def _reopen(self) -> None:
        if self._failed:
            super().reopen()
            self._failed = False

    def _in_thread(self, work: Callable[[], T]) -> T:
        """Return what ``work`` returns in the network's thread, after the work that was asked for earlier."""
        if get_ident() == self._ident:
            return work()
        return self._thread.submit(work).result()


class SharedEngines:
    """Opens model files for the cameras of a process; those with the same file and settings get one engine.

    An engine lives as long as one of its cameras has it.
    """

    def __init__(self) -> None:
        self._engines: WeakValueDictionary[tuple[Any, ...], SharedEngine] = WeakValueDictionary()

    def __len__(self) -> int:
        """Count the engines in use."""
        return len(self._engines)

    def open(
        self, path: Path, provider: str, *, batch_wait_ms: float | None = None, **options: Any
    ) -> SharedEngine:
        """Return an engine for a file; the other parameters and the errors are those of :class:`Engine`.

        A file that was replaced since it was opened is another file.

        :param batch_wait_ms: images that wait go through the network together; for so many milliseconds one
            waits for others (:mod:`kd_seg_ros.inference.batching_engine`). None: one after the other.
        """
        key = (path.absolute(), _state(path), provider, batch_wait_ms, *sorted(options.items(), key=str))
        engine = self._engines.get(key)
        if engine is None:
            engine = self._engines[key] = _open(path, provider, batch_wait_ms, options)
        return engine


def _open(path: Path, provider: str, batch_wait_ms: float | None, options: dict[str, Any]) -> SharedEngine:
    """Open an engine, see :meth:`SharedEngines.open`."""
    if batch_wait_ms is None:
        return SharedEngine(path, provider, **options)
    from kd_seg_ros.inference.batching_engine import BatchingEngine  # which is one of these itself

    return BatchingEngine(path, provider, batch_wait_ms, **options)


def _state(path: Path) -> tuple[int, ...]:
    """Return what changes when a file is replaced; nothing for one that opening will refuse."""
    try:
        state = path.stat()
    except OSError:
        return ()
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns
