"""The decoder against every case, with several seeds."""

from __future__ import annotations

import numpy as np
import pytest

from kd_seg_ros.common import jpeg
from kd_seg_ros.common.decode import decode_compressed, decode_image
from kd_seg_ros.common.picture import DecodeError, DecodeOptions
from kd_seg_ros.faults.images import CASES, CompressedImage, Outcome, faulty_image

OPTIONS = DecodeOptions(white_level=4095)
NEEDS_SIMPLEJPEG = ("jpeg: cut", "jpeg: progressive, cut", "jpeg: without its end")


@pytest.mark.parametrize("case", CASES)
def test_each_fault_has_its_outcome(case: str) -> None:
    if case.startswith(NEEDS_SIMPLEJPEG) and jpeg._library() is None:
        pytest.skip("simplejpeg is not installed")
    for seed in range(12):
        fault = faulty_image(case, seed)
        decode = decode_compressed if isinstance(fault.message, CompressedImage) else decode_image
        try:
            pixels = decode(fault.message, OPTIONS)
        except DecodeError as error:
            complaint = str(error)
            assert fault.outcome is not Outcome.SAME, complaint
        else:
            assert fault.outcome is not Outcome.REFUSED, seed
            complaint = ""
            assert pixels.dtype == np.uint8
            assert pixels.shape[2] == 3
        assert "\n" not in complaint
        assert len(complaint) < 250
        if fault.outcome is Outcome.SAME:
            assert pixels.shape == fault.picture.shape
            assert np.abs(pixels.astype(int) - fault.picture).mean() < 5


def test_a_seed_gives_the_same_message_again() -> None:
    for case in CASES:
        first, second = faulty_image(case, 5), faulty_image(case, 5)
        other = faulty_image(case, 6)
        assert first.message == second.message
        np.testing.assert_array_equal(first.picture, second.picture)
        assert (first.picture != other.picture).any()
