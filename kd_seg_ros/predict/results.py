"""The files that ``kd_seg predict`` writes: pictures per frame, and a table.

In the folder: ``mask/NAME.png`` (trainId per pixel, 255 unlabelled), ``confidence/NAME.png``
(round(255 · probability)), ``overlay/NAME.jpg``, ``colour/NAME.png``, ``drivable/NAME.png`` (255 where one
may drive, see :mod:`kd_seg_ros.inference.drivable`), as far as asked for, and
``predictions.csv``. Each picture appears when it is whole.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.bags.summary import FrameTable
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.files import reason, write_atomically
from kd_seg_ros.common.picture import RGBImage
from kd_seg_ros.inference.accuracy import AccuracyEstimate
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.drivable import DEFAULT_CLASSES, DrivableArea, drivable_area, require_classes
from kd_seg_ros.inference.engine import Prediction
from kd_seg_ros.inference.legend import Legend
from kd_seg_ros.inference.overlay import blend, colorize

KINDS: Final = {
    "mask": ".png",
    "confidence": ".png",
    "overlay": ".jpg",
    "colour": ".png",
    "drivable": ".png",
}
"""What can be saved of each frame, with the suffix of its file."""
TABLE: Final = "predictions.csv"
"""Written in every folder of results, by which a later run knows it."""


class Results:
    """Writes a run's files."""

    def __init__(
        self, folder: Path, kinds: Sequence[str], card: ModelCard, legend: Legend, overwrite: bool
    ) -> None:
        """Make the folder.

        :param kinds: of :data:`KINDS`.
        :param legend: drawn over the top of overlays, and says how classes are hatched in pictures.
        :param overwrite: remove the results of an earlier run in this folder; nothing else in it.
        :raises UserError: if the folder has results and may not be overwritten, or cannot be written; for
            ``drivable`` of a model that has no such class.
        """
        self._drivable: DrivableArea | None = None
        if "drivable" in kinds:
            try:
                self._drivable = drivable_area(require_classes(DEFAULT_CLASSES, card), "", card)
            except UserError as error:
                raise UserError(f"--save drivable: {error}") from error
        self.folder = folder
        self._kinds = kinds
        self._card = card
        self._legend = legend
        self._written: set[str] = set()
        try:
            _make_room(folder, overwrite)
            for kind in kinds:
                (folder / kind).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"--out {folder}: {reason(error)}") from error
        self._table = FrameTable(folder / TABLE, card, 0, "name")

    def add(
        self,
        number: int,
        name: str,
        time: int,
        image: RGBImage,
        prediction: Prediction,
        latency_ms: float,
        expected: AccuracyEstimate | None,
    ) -> None:
        """Write a frame's files and its line of the table.

        :param number: of the frame in the source, from 1.
        :param name: of the frame; the files are called so.
        :param time: ns.
        :param expected: accuracy of the prediction; None if the card holds nothing to tell it by.
        :raises UserError: if a file cannot be written.
        """
        stem = self._stem(name)
        for kind in self._kinds:
            path = self.folder / kind / f"{stem}{KINDS[kind]}"
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(path, _encoded(KINDS[kind], self._pixels(kind, image, prediction)))
            except OSError as error:
                raise UserError(f"{path}: cannot be written: {reason(error)}") from error
        self._table.add(number, time, name, prediction, latency_ms, expected)

    def close(self) -> None:
        """Finish the table."""
        self._table.flush()
        self._table.close()

    def _pixels(self, kind: str, image: RGBImage, prediction: Prediction) -> NDArray[np.uint8]:
        """Return what a file of a kind shows: grey [H, W] or RGB [H, W, 3]."""
        if kind == "mask":
            return prediction.mask
        if kind == "confidence":
            return prediction.confidence
        if self._drivable and kind == "drivable":
            return self._drivable.draw(prediction.mask, prediction.confidence)
        if kind == "colour":
            return colorize(prediction.mask, self._card.palette, self._legend.marks)
        overlay = blend(image, prediction.mask, self._card.palette, marks=self._legend.marks)
        self._legend.draw_over(overlay, prediction.mask)
        return overlay

    def _stem(self, name: str) -> str:
        """Return a name's path without suffix; with it, if another frame has that stem already."""
        path = PurePosixPath(name)
        if not path.suffix:  # a number, which no other frame has
            return name
        stem = str(path.with_suffix(""))
        if stem in self._written:
            stem = name
        self._written.add(stem)
        return stem


def _make_room(folder: Path, overwrite: bool) -> None:
    """Remove an earlier run's results, or refuse to; raises UserError."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--out {folder}: is a file; a folder is needed")
    earlier = [folder / kind for kind in KINDS if (folder / kind).exists()]
    if not earlier and not (folder / TABLE).exists():
        return
    if not (folder / TABLE).exists():
        raise UserError(f"--out {folder}: has a folder {earlier[0].name!r} that no run of predict made")
    if not overwrite:
        raise UserError(f"--out {folder}: has the results of an earlier run: --overwrite, or another folder")
    for path in earlier:
        shutil.rmtree(path)
    (folder / TABLE).unlink()


def _encoded(suffix: str, pixels: NDArray[np.uint8]) -> bytes:
    """Return the content of an image file."""
    shown = pixels if pixels.ndim == 2 else pixels[..., ::-1]
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1] if suffix == ".png" else [cv2.IMWRITE_JPEG_QUALITY, 92]
    return cv2.imencode(suffix, shown, options)[1].tobytes()
