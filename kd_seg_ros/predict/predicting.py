"""The run of ``kd_seg predict``: frames in, files, a video or a window out."""

from __future__ import annotations

import itertools
import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.bags.progress import Progress
from kd_seg_ros.bags.video import panel_size, picture, writer_for
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.picture import RGBImage
from kd_seg_ros.inference.card import FULL
from kd_seg_ros.inference.drift import bin_accuracy, bin_counts, expected_accuracy
from kd_seg_ros.inference.engine import Engine, Prediction
from kd_seg_ros.inference.legend import Legend
from kd_seg_ros.inference.named_thresholds import named_threshold
from kd_seg_ros.predict import window
from kd_seg_ros.predict.results import Results
from kd_seg_ros.predict.sources import Frame, Source

LOGGER = logging.getLogger(__name__)

_LATENCIES: Final = 10_000
"""Frames whose latency is kept: a stream has no end."""
_NAMED_PROBLEMS: Final = 5
"""Frames that are named in the log because they cannot be decoded; the others are counted."""


@dataclass(frozen=True)
class PredictSettings:
    """How frames are taken and what becomes of them."""

    every: int = 1
    """Take each N-th frame only."""
    limit: int | None = None
    """End after so many frames."""
    size: tuple[int, int] | None = None
    """(height, width) to which images are resized first; None: as they are."""
    min_confidence: float | str = 0.0
    """Pixels below it are unlabelled; a number or rules of the model card."""
    video: Path | None = None
    show: bool = False
    legend: Legend | None = None
    """Drawn below the pictures of a video, and says how classes are hatched; None: neither of the two."""


@dataclass
class PredictSummary:
    """What a run has done."""

    frames: int = 0
    """Segmented."""
    undecodable: int = 0
    problem: str = ""
    """Why the first of those could not be decoded."""
    latencies_ms: deque[float] = field(default_factory=lambda: deque(maxlen=_LATENCIES))
    """Of the network with what is around it, of the last frames."""
    expected_accuracy: float | None = None
    """Mean share of pixels that is probably right; None where the model's card does not say."""
    pixels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))
    """Pixels of each value of the masks."""


def predict(
    source: Source,
    engine: Engine,
    results: Results | None,
    settings: PredictSettings,
    stop: Callable[[], bool] = lambda: False,
) -> PredictSummary:
    """Segment the frames of a source.

    :param results: where files go; None: none are written.
    :param stop: asked after every frame; when it says so, what is done is finished and kept.
    :raises UserError: if not one frame can be decoded, the network fails, or something cannot be written.
    """
    summary = PredictSummary()
    write_video = writer_for(settings.video) if settings.video else None
    progress = Progress("segmenting", _expected_frames(source, settings))
    run = _Run(source, engine, results, settings, summary, progress, stop)
    with closing(run.pictures()) as pictures:
        first = next(pictures, None)
        if first is not None:
            rest = itertools.chain([first], pictures)
            if write_video and settings.video:
                write_video(rest, settings.video, max(source.hertz / settings.every, 0.1))
            else:
                for _ in rest:
                    pass
    progress.close()
    if settings.show:
        window.close()
    if not summary.frames:
        if summary.undecodable:
            raise UserError(f"not one of {summary.undecodable} images could be decoded: {summary.problem}")
        if not stop():
            raise UserError("the source has no frame")
    return summary


def _expected_frames(source: Source, settings: PredictSettings) -> int:
    """Return how many frames will probably be segmented; 0: not known."""
    total = -(-source.total // settings.every)
    return min(total, settings.limit) if settings.limit and total else (settings.limit or total)


class _Run:
    """The state of one run; :meth:`pictures` does the work."""

    def __init__(
        self,
        source: Source,
        engine: Engine,
        results: Results | None,
        settings: PredictSettings,
        summary: PredictSummary,
        progress: Progress,
        stop: Callable[[], bool],
    ) -> None:
        self._source, self._engine, self._results = source, engine, results
        self._settings, self._summary, self._progress, self._stop = settings, summary, progress, stop
        self._levels = named_threshold(settings.min_confidence, engine.card).levels
        table = engine.card.reliability.get(FULL)
        self._accuracy = None if table is None else bin_accuracy(table)
        self._panel: tuple[int, int] | None = None

    def pictures(self) -> Generator[RGBImage, None, None]:
        """Segment frame after frame; yield the video's picture of each, small if there is no video."""
        limit = self._settings.limit
        for number, frame in self._source.frames(self._settings.every):
            if frame.image is None:
                self._note_problem(frame)
            else:
                yield from self._segmented(number, frame, frame.image)
            if self._stop() or (limit and self._summary.frames + self._summary.undecodable >= limit):
                return

    def _segmented(self, number: int, frame: Frame, image: RGBImage) -> Iterator[RGBImage]:
        """Segment one frame, write its files and show it; yield its picture unless the window was closed."""
        size = self._settings.size
        if size is not None and size != image.shape[:2]:
            smaller = size[0] < image.shape[0]
            how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
            image = np.asarray(cv2.resize(image, size[::-1], interpolation=how), np.uint8)
        start = time.perf_counter()
        prediction = self._engine.segment(image, min_confidence=self._levels)
        latency_ms = 1e3 * (time.perf_counter() - start)
        self._count(prediction, latency_ms)
        if self._results is not None:
            self._results.add(number, frame.name, frame.time, image, prediction, latency_ms)
        shown = self._picture(frame.name, image, prediction)
        yield shown
        if self._settings.show and not window.show(shown):
            self._stop = _ended

    def _picture(self, name: str, image: RGBImage, prediction: Prediction) -> RGBImage:
        """Draw image and overlay next to each other, or nothing where nobody will see it."""
        if not (self._settings.video or self._settings.show):
            return np.zeros((1, 1, 3), np.uint8)
        self._panel = self._panel or panel_size(image)
        palette, legend = self._engine.card.palette, self._settings.legend
        return picture(image, prediction.mask, palette, name, self._panel, legend)

    def _count(self, prediction: Prediction, latency_ms: float) -> None:
        """Add a frame to the summary."""
        self._summary.frames += 1
        self._summary.latencies_ms.append(latency_ms)
        self._summary.pixels += np.bincount(prediction.mask.ravel(), minlength=256)
        if self._accuracy is not None:
            counts = bin_counts(prediction.confidence, len(self._accuracy))
            own = float(expected_accuracy(counts, self._accuracy))
            mean = self._summary.expected_accuracy or 0.0
            self._summary.expected_accuracy = mean + (own - mean) / self._summary.frames
        self._progress.step()

    def _note_problem(self, frame: Frame) -> None:
        """Take note of a frame that cannot be decoded."""
        summary = self._summary
        summary.problem = summary.problem or frame.problem
        summary.undecodable += 1
        if summary.undecodable <= _NAMED_PROBLEMS:
            named = frame.problem if frame.name in frame.problem else f"{frame.name}: {frame.problem}"
            LOGGER.warning("%s", named)
        self._progress.step()


def _ended() -> bool:
    """Stand in for a signal once the window was closed."""
    return True
