"""Confusion and confidence of every single image: for paired comparisons, and to find the worst images.

They are stored next to metrics.json as ``images.npz``, with a few hundred bytes per image.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from distill.common.files import write_file
from distill.common.npz import NpzError, read_npz
from kd_seg_ros.common.errors import UserError, first_line

FORMAT: Final = 1
"""Version of the file's layout."""
MOST_PIXELS: Final = 2**40
"""A cell with as many pixels of one image is a damaged number, not a picture."""


@dataclass(frozen=True)
class ImageScores:
    """The tables of N images in the order of their evaluation.

    C classes, B confidence bins; the last of the B + 1 cells is that of confidence exactly 1.
    """

    names: NDArray[np.str_]
    """[N], the images' paths below the data's root, with slashes."""
    conditions: NDArray[np.str_]
    """[N], the images' conditions."""
    confusion: NDArray[np.int64]
    """[N, C, C + 1], confusion matrices, see :mod:`distill.metrics.confusion`."""
    count: NDArray[np.int64]
    """[N, B + 1], number of labelled pixels by confidence."""
    confidence: NDArray[np.float64]
    """[N, B + 1], sum of their confidence."""
    correct: NDArray[np.int64]
    """[N, B + 1], how many of them were predicted correctly."""

    domain_distance: NDArray[np.float64] | None = None
    """[N], how far each image is from those of calibration, 0…∞; None where the model does not tell."""

    def __len__(self) -> int:
        return len(self.names)

    def only(self, chosen: NDArray[np.bool_]) -> ImageScores:
        """Return some of the images.

        :param chosen: [N], True for the images to keep.
        """
        return ImageScores(**{name: array[chosen] for name, array in self.tables().items()})

    def save(self, path: Path) -> None:
        """Write the file, compressed; raises UserError if it cannot be written."""
        write_file(path, self._write)

    def _write(self, path: Path) -> None:
        with path.open("wb") as file:  # a path without the ending .npz would be given one
            arrays: dict[str, Any] = self.tables()
            np.savez_compressed(file, format=np.int64(FORMAT), **arrays)

    def tables(self) -> dict[str, NDArray[Any]]:
        """Return the arrays that are there, by name."""
        return {name: array for name, array in vars(self).items() if array is not None}

    def fault(self) -> str:
        """Say what cannot be right about the tables; empty if nothing is.

        Every image's pixels are counted twice, by class and by confidence: the sums must agree.
        """
        images, classes, bins = len(self.names), self.confusion.shape[1:2], self.count.shape[1:2]
        shapes = {
            "names": (images,),
            "conditions": (images,),
            "confusion": (images, *classes, *[number + 1 for number in classes]),
            **dict.fromkeys(("count", "confidence", "correct"), (images, *bins)),
        }
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array.shape != shape:
                return f"{name} has the shape {list(array.shape)}"
            kinds = "U" if name in ("names", "conditions") else "fiu" if name == "confidence" else "iu"
            if array.dtype.kind not in kinds:
                return f"{name} is of the type {array.dtype}"
            if "U" not in kinds and not ((array >= 0) & (array < MOST_PIXELS)).all():  # NaN is neither
                return f"{name} holds values that are no counts"
        distance = self.domain_distance
        if distance is not None:
            if distance.shape != (images,) or distance.dtype.kind != "f":
                return f"domain_distance is {distance.dtype} {list(distance.shape)}"
            if not (distance >= 0).all():  # NaN is not
                return "domain_distance holds values that are no distances"
        if self.confusion.ndim != 3 or self.count.ndim != 2:
            return "its tables lack a dimension"
        if (self.correct > self.count).any() or (self.confidence > self.count * (1 + 1e-6)).any():
            return "a confidence bin has more correct pixels, or more confidence, than pixels"
        labelled = self.confusion.sum(axis=(1, 2))
        if (labelled != self.count.sum(axis=1)).any():
            return "pixels by class and by confidence differ"
        hits = np.trace(self.confusion, axis1=1, axis2=2)
        if (hits != self.correct.sum(axis=1)).any():
            return "correct pixels by class and by confidence differ"
        return ""

    @classmethod
    def load(cls, path: Path) -> ImageScores:
        """Read a file of :meth:`save`; raises UserError if it is missing, damaged or of another version."""
        try:
            content: dict[str, Any] = read_npz(path)
            version = int(content.pop("format"))
            if version != FORMAT:
                raise UserError(
                    f"{path} has version {version}, this software reads {FORMAT}: evaluate the model again"
                )
            scores = cls(**content)
        except FileNotFoundError as error:
            raise UserError(f"{path} is missing: evaluate the model again") from error
        except (NpzError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is damaged: {first_line(error)}: evaluate the model again") from error
        if fault := scores.fault():
            raise UserError(f"{path} is damaged: {fault}: evaluate the model again")
        return scores
