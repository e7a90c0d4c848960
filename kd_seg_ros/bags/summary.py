"""A CSV file with one line of figures per frame.

Shares are of all pixels of the mask; ``mean_confidence`` is over all pixels, whether they were left without a
class or not; ``expected_accuracy`` is the share of pixels that is probably right, and
``expected_accuracy_kind`` says how that was found (:mod:`kd_seg_ros.inference.accuracy`): ``raw``,
``corrected`` or ``unknown``, in which case the former is empty; both are where the card holds nothing to tell
it by. ``domain_distance`` is how far the image is from those of calibration
(:mod:`kd_seg_ros.inference.domain`), a column only where the file tells it. ``flipped`` is the share of the
pixels that have another class than in the camera's frame before (:mod:`kd_seg_ros.inference.flips`), a column
only of frames that follow each other.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.bags.messages import stamp_text
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.files import reason
from kd_seg_ros.inference.accuracy import AccuracyEstimate
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.contract import DOMAIN_DISTANCE
from kd_seg_ros.inference.engine import Prediction
from kd_seg_ros.inference.flips import FlipShares

FIGURES: Final = (
    *("frame", "stamp", "topic", "height", "width", "latency_ms"),
    *("mean_confidence", "expected_accuracy", "expected_accuracy_kind"),
)
"""Columns of every table, before those of the classes; ``topic`` has another head where frames have names."""
FLIPPED: Final = "flipped"
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
        :raises UserError: if it cannot be written, is shorter than that or has other columns.
        """
        self._path, self._card = path, card
        head = [source if figure == "topic" else figure for figure in FIGURES]
        distance = [DOMAIN_DISTANCE] if card.domain else []
        flipped = [FLIPPED] if consecutive else []
        columns = _line([*head, *distance, *flipped, *card.class_names, "unlabelled"])
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("r+b" if size else "wb")
            if self._file.seek(0, io.SEEK_END) < size:
                self._file.close()
                raise UserError(
                    f"--csv {path} is shorter than the interrupted run left it: start again with --overwrite"
                )
            self._file.seek(0)
            if size and self._file.readline() != columns:
                self._file.close()
                raise UserError(
                    f"--csv {path} has other columns than this version writes: start again with --overwrite"
                )
            self._file.truncate(size)
            self._file.seek(size)
        except OSError as error:
            raise UserError(f"--csv {path} cannot be written: {reason(error)}") from error
        self._flips = FlipShares(len(card.class_names)) if consecutive else None
        if not size:
            self._write(columns)

    def add(
        self,
        frame: int,
        stamp: int,
        source: str,
        prediction: Prediction,
        latency_ms: float,
        expected: AccuracyEstimate | None = None,
    ) -> None:
        """Write a frame's line.

        :param stamp: ns.
        :param expected: accuracy of the prediction; None if the card holds nothing to tell it by.
        """
        mask, confidence = prediction.mask, prediction.confidence
        row: list[Any] = [frame, stamp_text(stamp), source, *mask.shape, f"{latency_ms:.3f}"]
        row.append(f"{cv2.mean(confidence)[0] / 255:.6f}")
        value, kind = (None, "") if expected is None else (expected.value, expected.kind)
        row += ["" if value is None else f"{value:.6f}", kind]
        if self._card.domain:
            distance = prediction.domain_distance
            row.append("" if distance is None else f"{distance:.6f}")
        if self._flips:
            share = self._flips.add(source, mask)
            row.append("" if share is None else f"{share:.6f}")
        pixels = cv2.calcHist([mask], [0], None, [256], [0, 256])[:, 0] / mask.size
        known = pixels[: len(self._card.class_names)]
        row += [f"{share:.6f}" for share in (*known, 1 - known.sum())]
        self._write(_line(row))

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

    def _write(self, line: bytes) -> None:
        try:
            self._file.write(line)
        except OSError as error:
            raise UserError(f"--csv {self._path} cannot be written: {reason(error)}") from error


def _line(row: Iterable[Any]) -> bytes:
    """Return the bytes of a line of the table."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(row)
    return line.getvalue().encode(errors="surrogateescape")  # names are any bytes
