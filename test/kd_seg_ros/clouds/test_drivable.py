"""Names of classes become a table over the mask's values."""

from __future__ import annotations

import numpy as np
import pytest

from kd_seg_ros.clouds.drivable import drivable_table
from kd_seg_ros.common.errors import UserError


def test_names_are_looked_up() -> None:
    assert list(np.flatnonzero(drivable_table("", "road, terrain"))) == [0, 9]
    assert list(np.flatnonzero(drivable_table("sky,  lane marking,road", "road,lane marking"))) == [1, 2]
    # As the segmentation node's parameter drivable_classes has it.
    assert list(np.flatnonzero(drivable_table("", "drivable traffic_light"))) == [0, 6]


@pytest.mark.parametrize(
    ("names", "drivable", "message"),
    [
        ("", "raod", "the model has no class 'raod'; did you mean 'road'"),
        ("a,b", "z", "it has a, b"),
        ("", " , ", "names no class"),
        ("a,b", "drivable", "names no class; there are a, b"),
        (",".join(map(str, range(256))), "1", "at most 255"),
    ],
)
def test_names_that_say_nothing_are_refused(names: str, drivable: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        drivable_table(names, drivable)
