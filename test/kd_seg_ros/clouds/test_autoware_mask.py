"""Runs that lead back to the mask, and classes by Autoware's numbers."""

from __future__ import annotations

import struct

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from kd_seg_ros.clouds.autoware_mask import AUTOWARE_CLASSES, MEANING, autoware_table, runs_of
from kd_seg_ros.common.classes import CLASS_NAMES


def decoded(data: bytes, height: int, width: int) -> np.ndarray:
    """Read runs as a C++ program does: a byte, then an int32."""
    pixels: list[int] = []
    for place in range(0, len(data), 5):
        label, length = struct.unpack_from("<Bi", data, place)
        pixels += [label] * length
    return np.array(pixels, np.uint8).reshape(height, width)


@settings(deadline=None)
@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 2)))
def test_runs_lead_back_to_the_mask_and_are_as_few_as_can_be(mask: np.ndarray) -> None:
    runs = runs_of(mask)
    np.testing.assert_array_equal(decoded(runs.tobytes(), *mask.shape), mask)
    assert (runs["length"] > 0).all()
    assert (runs["label"][1:] != runs["label"][:-1]).all()


def test_a_mask_that_is_no_block_of_memory_is_read_row_by_row() -> None:
    large = np.arange(24, dtype=np.uint8).reshape(4, 6)
    view = large[::2, ::3]
    np.testing.assert_array_equal(decoded(runs_of(view).tobytes(), 2, 2), view)


def test_classes_get_autowares_numbers() -> None:
    table, unknown = autoware_table(CLASS_NAMES)
    assert not unknown
    named = {name: AUTOWARE_CLASSES[table[number]] for number, name in enumerate(CLASS_NAMES)}
    assert named["road"] == "ROAD"
    assert named["bus"] == "VEHICLE"
    assert named["rider"] == "PERSON"
    assert table[255] == table[19] == 0
    # As the sources of segmentation_pointcloud_fusion count them.
    numbers = {"UNKNOWN": 0, "BUILDING": 1, "PERSON": 6, "ROAD": 9, "SKY": 15}
    assert {name: AUTOWARE_CLASSES.index(name) for name in numbers} == numbers


def test_what_autoware_has_no_class_for_is_unknown() -> None:
    table, unknown = autoware_table(("road", "lane marking"))
    assert unknown == ["lane marking"]
    assert table[:2].tolist() == [9, 0]


def test_every_meaning_is_a_class() -> None:
    assert set(MEANING.values()) <= set(AUTOWARE_CLASSES)
