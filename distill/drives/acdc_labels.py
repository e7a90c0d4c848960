"""ACDC's files by the names of its frames. Reading them needs Pillow, but not PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.datasets.acdc import list_acdc
from distill.datasets.frame import Frame, read_label_values, to_train_ids
from kd_seg_ros.common.conditions import CONDITIONS
from kd_seg_ros.common.errors import UserError


def labelled_frames(root: Path) -> dict[str, Frame]:
    """List the labelled frames below ACDC's root by the file names of their images.

    The clear-weather references are among them. A part of the data set is enough.

    :raises UserError: if there are none.
    """
    found: dict[str, Frame] = {}
    problem: UserError | None = None
    for split in ("train", "val"):
        for reference in (False, True):
            for condition in CONDITIONS:
                try:
                    listing = list_acdc(root, split, [condition], reference)
                except UserError as error:
                    problem = problem or error
                    continue
                found |= {frame.image.name: frame for frame in listing.frames if frame.labels}
    if not found:
        raise problem or UserError(f"{root} has no labels")
    return found


def read_labels(frame: Frame) -> NDArray[np.uint8]:
    """Read a frame's trainIds, uint8 [H, W]; raises UserError if the file is damaged or holds others."""
    return np.asarray(to_train_ids(read_label_values(frame), frame), np.uint8)
