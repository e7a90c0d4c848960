"""Confusion and confidence of every single image: for paired comparisons, and to find the worst images.

They are stored next to metrics.json as ``images.npz``, with a few hundred bytes per image.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from distill.common.files import write_file
from kd_seg_ros.common.errors import UserError

FORMAT: Final = 1
"""Version of the file's layout."""


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

    def __len__(self) -> int:
        return len(self.names)

    def only(self, chosen: NDArray[np.bool_]) -> ImageScores:
        """Return some of the images.

        :param chosen: [N], True for the images to keep.
        """
        return ImageScores(**{name: array[chosen] for name, array in vars(self).items()})

    def save(self, path: Path) -> None:
        """Write the file, compressed; raises UserError if it cannot be written."""
        write_file(path, self._write)

    def _write(self, path: Path) -> None:
        with path.open("wb") as file:  # a path without the ending .npz would be given one
            np.savez_compressed(file, format=np.int64(FORMAT), **vars(self))

    @classmethod
    def load(cls, path: Path) -> ImageScores:
        """Read a file of :meth:`save`; raises UserError if it is missing, damaged or of another version."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                content: dict[str, Any] = dict(arrays)
            version = int(content.pop("format"))
            if version != FORMAT:
                raise UserError(
                    f"{path} has version {version}, this software reads {FORMAT}: evaluate the model again"
                )
            scores = cls(**content)
        except FileNotFoundError as error:
            raise UserError(f"{path} is missing: evaluate the model again") from error
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, EOFError) as error:
            raise UserError(f"{path} is damaged: evaluate the model again") from error
        lengths = {len(array) for array in vars(scores).values()}
        if len(lengths) != 1 or scores.confusion.ndim != 3:
            raise UserError(f"{path} is damaged: evaluate the model again")
        return scores
