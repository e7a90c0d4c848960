from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import Any

import pytest

from kd_seg_ros.common import option_types as types


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (types.number, "-2.5e1", -25.0),
        (types.positive, "0.1", 0.1),
        (types.not_negative, "0", 0.0),
        (types.share, "1", 1.0),
        (types.whole, "0", 0),
        (types.count, "12", 12),
        (types.count, "0" * 30 + "12", 12),
        (types.whole, str(2**63 - 1), 2**63 - 1),
        (types.image_size, "1080x1920", (1080, 1920)),
        (types.image_size, "288×512", (288, 512)),
        (types.topic, "/camera/image_raw", "/camera/image_raw"),
    ],
)
def test_good_values(read: Callable[[str], Any], text: str, value: Any) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (types.number, "two", "'two' is not a number"),
        (types.number, "nan", "'nan' is not a number"),
        (types.positive, "inf", "'inf' is not a number"),
        (types.positive, "0", "must be above 0, not 0"),
        (types.not_negative, "-1", "must be at least 0, not -1"),
        (types.share, "1.5", "must be within 0…1, not 1.5"),
        (types.whole, "-1", "must be a whole number, at least 0, not -1"),
        (types.whole, "1.0", "must be a whole number"),
        (types.count, "0", "must be a whole number, at least 1, not 0"),
        (types.count, "many", "must be a whole number"),
        (types.count, "1000000001", "must be at most 1000000000, not 1000000001"),
        (types.count, "9" * 5000, "must be at most 1000000000, not 9{40}$"),
        (types.whole, "9" * 19, "must be at most 9223372036854775807"),
        (types.workers, "10000", "must be at most 256, not 10000"),
        (types.image_size, "1x1", "each side must be 8 to 8192 pixels, not 1x1"),
        (types.image_size, "99999x10", "each side must be 8 to 8192 pixels"),
        (types.image_size, "1080", "must be HEIGHTxWIDTH in pixels, such as 1080x1920, not 1080"),
        (types.image_size, "0x10", "must be HEIGHTxWIDTH"),
        (types.topic, "image_raw", "must be a full topic name such as /camera/image_raw, not image_raw"),
        (types.topic, "/camera/", "must be a full topic name"),
    ],
)
def test_bad_values_are_named(read: Callable[[str], Any], text: str, message: str) -> None:
    with pytest.raises(ArgumentTypeError, match=message):
        read(text)
