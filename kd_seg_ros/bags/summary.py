"""A CSV file with one line of figures per frame.

Shares are of all pixels of the mask; ``mean_confidence`` is over all pixels, whether they were left without a
class or not; ``expected_accuracy`` is what the model card's reliability table makes of the confidence
(:mod:`kd_seg_ros.inference.drift`), empty where the card has none. ``domain_distance`` is how far the image
is from those of calibration (:mod:`kd_seg_ros.inference.domain`), a column only where the file tells it.
``flipped`` is the share of the pixels that have another class than in the camera's frame before
(:mod:`kd_seg_ros.inference.flips`), a column only of frames that follow each other.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.bags.messages import stamp_text
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.files import reason
from kd_seg_ros.inference.card import FULL, ModelCard
from kd_seg_ros.inference.contract import DOMAIN_DISTANCE
from kd_seg_ros.inference.drift import bin_accuracy, bin_counts, expected_accuracy
from kd_seg_ros.inference.engine import Prediction
from kd_seg_ros.inference.flips import FlipShares

FIGURES = ("frame", "stamp", "topic", "height", "width", "latency_ms", "mean_confidence", "expected_accuracy")
FLIPPED = "flipped"
"""Head of the column that tells how many pixels change their class from frame to frame."""


class FrameTable:
    """A CSV file that grows by one line per frame, and can be cut back to where an interrupted run was."""

    def __init__(
        self, path: Path, card: ModelCard, size: int, source: str = "topic", consecutive: bool = False
    ) -> None:
        """Open the file.

        :param size: bytes of an earlier run's file to keep; 0: write a new file.
        :param source: what tells the frame of a line from others, as the head of its column.
        :param consecutive: the frames of a source follow each other, as those of a camera do.
        :raises UserError: if it cannot be written or is shorter than that.
        """
        self._path, self._card = path, card
        table = card.reliability.get(FULL)
        self._accuracy = None if table is None else bin_accuracy(table)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("r+b" if size else "wb")
            if self._file.seek(0, io.SEEK_END) < size:
                self._file.close()
                raise UserError(
                    f"--csv {path} is shorter than the interrupted run left it: start again with --overwrite"
                )
            self._file.seek(0)
            # An earlier run may have been by a version whose table had no such column.
            consecutive = consecutive and (not size or FLIPPED in self._file.readline().decode().split(","))
            self._file.truncate(size)
            self._file.seek(size)
        except OSError as error:
            raise UserError(f"--csv {path} cannot be written: {reason(error)}") from error
        self._flips = FlipShares(len(card.class_names)) if consecutive else None
        if not size:
            head = [source if figure == "topic" else figure for figure in FIGURES]
            distance = [DOMAIN_DISTANCE] if card.domain else []
            flipped = [FLIPPED] if consecutive else []
            self._write([*head, *distance, *flipped, *card.class_names, "unlabelled"])

    def add(self, frame: int, stamp: int, source: str, prediction: Prediction, latency_ms: float) -> None:
        """Write a frame's line."""
        mask, confidence = prediction.mask, prediction.confidence
        row: list[Any] = [frame, stamp_text(stamp), source, *mask.shape, f"{latency_ms:.3f}"]
        row.append(f"{cv2.mean(confidence)[0] / 255:.6f}")
        row.append("" if self._accuracy is None else f"{self._expected(confidence, self._accuracy):.6f}")
        if self._card.domain:
            distance = prediction.domain_distance
            row.append("" if distance is None else f"{distance:.6f}")
        if self._flips:
            share = self._flips.add(source, mask)
            row.append("" if share is None else f"{share:.6f}")
        pixels = cv2.calcHist([mask], [0], None, [256], [0, 256])[:, 0] / mask.size
        known = pixels[: len(self._card.class_names)]
        row += [f"{share:.6f}" for share in (*known, 1 - known.sum())]
        self._write(row)

    def continue_after(self, masks: Mapping[str, NDArray[np.uint8]]) -> None:
        """Take the last masks of an interrupted run, by source: the next ones are compared with them."""
        for source, mask in masks.items():
            if self._flips:
                self._flips.add(source, mask)

    @property
    def flipped(self) -> float | None:
        """Share of the pixels that have another class than in the frame before, 0…1, over this run's frames.

        None where no two frames could be compared.
        """
        return self._flips.total() if self._flips else None

    def flush(self) -> int:
        """Hand everything to the system; return the bytes so far."""
        try:
            self._file.flush()
            return self._file.tell()
        except OSError as error:
            raise UserError(f"--csv {self._path} cannot be written: {reason(error)}") from error

    def close(self) -> None:
        """Close the file; what was not flushed may be lost."""
        self._file.close()

    @staticmethod
    def _expected(confidence: NDArray[np.uint8], accuracy: NDArray[np.float64]) -> float:
        return float(expected_accuracy(bin_counts(confidence, len(accuracy)), accuracy))

    def _write(self, row: Iterable[Any]) -> None:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(row)
        try:
            self._file.write(line.getvalue().encode(errors="surrogateescape"))  # names are any bytes
        except OSError as error:
            raise UserError(f"--csv {self._path} cannot be written: {reason(error)}") from error
