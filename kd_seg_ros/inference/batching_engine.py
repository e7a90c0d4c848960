"""One network for several cameras that takes the images which are waiting in one run, as a batch.

Callers come with an image each and wait for its answer. The network's thread takes all images that have come
while it was busy. If cameras that were here a moment ago have none among them, it waits for theirs, but no
image longer than the time that the user allows. A camera that has stopped is soon not waited for any more.
"""

from __future__ import annotations

import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition, get_ident
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.inference.batched_run import BatchedRun, open_batched
from kd_seg_ros.inference.binding import RunItem
from kd_seg_ros.inference.engine import Engine, EngineError, Prediction
from kd_seg_ros.inference.opening import OpenedModel
from kd_seg_ros.inference.places import Places
from kd_seg_ros.inference.shared_engine import SharedEngine
from kd_seg_ros.inference.thresholds import MinConfidenceLevels

LARGEST_BATCH: Final = 8
"""Most images of one run: its memory grows with them, and so does the wait of the first for the last."""
ALIVE_S: Final = 1.0
"""Seconds after its last image for which a camera is waited for."""


@dataclass(eq=False)
class _Request:
    """An image that waits for its answer."""

    item: RunItem
    out: Prediction
    """The arrays that the item names as its outputs."""
    levels: MinConfidenceLevels | None
    came: float = field(default_factory=time.monotonic)
    answer: Future[None] = field(default_factory=Future)
    """Done when the arrays hold the answer, or with the error."""


class BatchingEngine(SharedEngine):
    """An engine that any number of threads may use at the same time, one for each camera.

    An image on which the network fails does not spoil the others of its run: they are run again one by one.
    """

    _binding: BatchedRun

    def __init__(self, path: str | Path, provider: str, wait_ms: float, **options: Any) -> None:
        """Open a model file whose network takes any number of images per run, as :class:`Engine` does.

        :param wait_ms: milliseconds that an image waits, at most, for those of other cameras; 0: it does not.
        """
        self._wait_s = 1e-3 * wait_ms
        self._changed = Condition()
        self._requests: list[_Request] = []
        self._last_seen: dict[int, float] = {}
        self.runs, self.images = 0, 0
        """Runs of the network since the start, and the images in them."""
        super().__init__(path, provider, **options)
        # Each camera takes its image at once: those that wait are the next batch.
        self._places = Places(LARGEST_BATCH)

    def segment(self, *arguments: Any, **options: Any) -> Prediction:
        """Classify every pixel of an image, as :meth:`SharedEngine.segment` does.

        What is before and after the network's run is done in the caller's thread.
        """
        return Engine.segment(self, *arguments, **options)

    def _open_file(self) -> OpenedModel:
        return open_batched(self._path, self._settings)

    def _run_into(
        self, out: Prediction, image: NDArray[np.uint8], bgr: bool, levels: MinConfidenceLevels | None
    ) -> float | None:
        """Run on an image of the network's size, together with those of other threads."""
        if get_ident() == self._ident:  # a warm-up
            try:
                return super()._run_into(out, image, bgr, levels)
            except EngineError:
                self._failed = True
                raise
        if self._failed:
            raise self._waits()
        request = _Request(self._item(out, image, bgr), out, levels)
        with self._changed:
            self._requests.append(request)
            self._last_seen[get_ident()] = request.came
            self._changed.notify_all()
        self._thread.submit(self._run_waiting)
        request.answer.result()
        return request.item.distance

    def _run_waiting(self) -> None:
        """Run the images that wait, in the network's thread; every caller gets an answer or an error."""
        batch = self._take()
        try:
            for group in _by_size(batch):
                self._run_group(group)
        except Exception as error:  # whatever it is, no camera may wait for ever
            for request in batch:
                if not request.answer.done():
                    request.answer.set_exception(self._failure(error))

    def _take(self) -> list[_Request]:
        """Take the next batch: once all cameras that are alive are here, or the first has waited enough."""
        with self._changed:
            if not self._requests:
                return []  # an earlier call has taken the image for which this one was asked
            left = self._requests[0].came + self._wait_s - time.monotonic()
            self._changed.wait_for(self._all_are_here, max(left, 0.0))
            batch = self._requests[:LARGEST_BATCH]
            del self._requests[:LARGEST_BATCH]
            return batch

    def _all_are_here(self) -> bool:
        """Return whether nobody is to be waited for; forgets cameras that have stopped."""
        limit = time.monotonic() - ALIVE_S
        self._last_seen = {camera: seen for camera, seen in self._last_seen.items() if seen >= limit}
        return len(self._requests) >= min(len(self._last_seen), LARGEST_BATCH)

    def _run_group(self, group: list[_Request]) -> None:
        """Run images of one size, together or, if that fails, one by one."""
        if self._failed:
            for request in group:
                request.answer.set_exception(self._waits())
            return
        failure = self._run_together(group)
        if failure is None:
            return
        if len(group) == 1:
            self._failed = True
            group[0].answer.set_exception(failure)
            return
        failures = [self._run_together([request]) for request in group]
        # Where one of them works, so does the network: it need not be opened again.
        self._failed = None not in failures
        for request, error in zip(group, failures, strict=True):
            if error is not None:
                request.answer.set_exception(error)

    def _run_together(self, group: list[_Request]) -> EngineError | None:
        """Run images of one size and answer them; return why that has failed, or None."""
        try:
            self._binding.run_batch([request.item for request in group])
        except Exception as error:  # ONNX Runtime's exceptions share no narrower base
            return self._failure(error)
        self.runs, self.images = self.runs + 1, self.images + len(group)
        for request in group:
            try:
                self._clean(request.out, request.levels)
            except EngineError as error:
                request.answer.set_exception(error)
            else:
                request.answer.set_result(None)
        return None

    def _waits(self) -> EngineError:
        return EngineError(f"{self._path}: waits for being opened again")


def _by_size(batch: list[_Request]) -> list[list[_Request]]:
    """Return the images of a batch in groups of one size, in their order."""
    groups: dict[tuple[int, ...], list[_Request]] = {}
    for request in batch:
        groups.setdefault(request.item.image.shape, []).append(request)
    return list(groups.values())
