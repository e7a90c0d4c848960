"""Which trainIds can be driven on, from names that a user gives. No ROS in here."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.common.classes import CLASS_NAMES, IGNORE_ID
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.drivable import drivable_classes


def drivable_table(class_names: str, drivable: str) -> NDArray[np.bool_]:
    """Return for each value of a mask, 0 … 255, whether it can be driven on.

    :param class_names: names by trainId with commas between them; empty: the 19 classes of Cityscapes.
    :param drivable: names of classes or groups, as the segmentation node's ``drivable_classes``.
    :raises UserError: for a name that is not among the classes, or no name at all.
    """
    names = class_list(class_names)
    try:
        wanted = drivable_classes(drivable, names)
    except UserError as error:
        raise UserError(f"parameter 'drivable': {error}") from error
    if not wanted:
        raise UserError(f"parameter 'drivable' names no class; there are {', '.join(names)}")
    table = np.zeros(256, np.bool_)
    table[[names.index(name) for name in wanted]] = True
    return table


def class_list(class_names: str) -> list[str]:
    """Return the names of the classes by trainId.

    :param class_names: names with commas between them; empty: the 19 classes of Cityscapes.
    :raises UserError: for more names than a mask has classes.
    """
    names = _list(class_names) or list(CLASS_NAMES)
    if len(names) > IGNORE_ID:
        raise UserError(
            f"parameter 'class_names' has {len(names)} names; a mask has at most {IGNORE_ID} classes"
        )
    return names


def _list(text: str) -> list[str]:
    """Split a text at its commas; empty parts do not count."""
    parts = [part.strip() for part in text.split(",")]
    return [part for part in parts if part]
