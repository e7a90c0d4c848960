"""ACDC's files by the names of its frames; asks the offline half, which must be installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.common.errors import UserError


def labelled_frames(root: Path) -> dict[str, Any]:
    """List the labelled frames below ACDC's root by the file names of their images.

    :return: :class:`distill.datasets.frame.Frame` by name, the clear-weather references among them.
    :raises UserError: if the tree is not there or the offline half is not.
    """
    with offline_half("ACDC's labels"):
        from distill.datasets.acdc import list_acdc
        from kd_seg_ros.common.conditions import CONDITIONS
    found: dict[str, Any] = {}
    problem: UserError | None = None
    for split in ("train", "val"):
        for reference in (False, True):
            for condition in CONDITIONS:  # a part of the data set will do
                try:
                    listing = list_acdc(root, split, [condition], reference)
                except UserError as error:
                    problem = problem or error
                    continue
                found |= {frame.image.name: frame for frame in listing.frames if frame.labels}
    if not found:
        raise problem or UserError(f"{root} has no labels")
    return found


def read_labels(frame: Any) -> NDArray[np.uint8]:
    """Read a frame's trainIds, uint8 [H, W]; raises UserError if the file is damaged or holds others."""
    from distill.datasets.frame import read_label_values, to_train_ids

    return np.asarray(to_train_ids(read_label_values(frame), frame), np.uint8)


class offline_half:  # noqa: N801  # reads as a statement
    """A context that says what to install where the offline half cannot be imported."""

    def __init__(self, purpose: str) -> None:
        self._purpose = purpose

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, ModuleNotFoundError):
            raise UserError(
                f"{self._purpose} needs the offline half: pip install 'kd_seg_ros[distill]' ({error})"
            ) from error
