"""Names of classes become a table over the mask's values."""

from __future__ import annotations

import numpy as np
import pytest

from kd_seg_ros.clouds.drivable import drivable_table
from kd_seg_ros.common.errors import UserError


def test_names_are_looked_up() -> None:
    assert list(np.flatnonzero(drivable_table("", "road, terrain"))) == [0, 9]
    assert list(np.flatnonzero(drivable_table("sky,  lane marking,road", "road,lane marking"))) == [1, 2]


@pytest.mark.parametrize(
    ("names", "drivable", "message"),
    [
        ("", "raod", "unknown class 'raod'; did you mean 'road'"),
        ("a,b", "z", "there are a, b"),
        ("", " , ", "names no class"),
        (",".join(map(str, range(256))), "1", "at most 255"),
    ],
)
def test_names_that_say_nothing_are_refused(names: str, drivable: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        drivable_table(names, drivable)
