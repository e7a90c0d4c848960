"""Malformed model files: the undamaged one gives the known answer; a seed gives the same file again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from kd_seg_ros.campaign import models as suite
from kd_seg_ros.campaign.outcome import Outcome
from kd_seg_ros.faults.model_cards import small_model
from kd_seg_ros.faults.models import CASES, faulty_model
from kd_seg_ros.faults.onnx_writer import known_answer, number_bytes
from kd_seg_ros.inference.engine import Engine


def test_the_small_file_is_what_the_package_onnx_expects(tmp_path: Path) -> None:
    path = tmp_path / "small.onnx"
    path.write_bytes(small_model(24, 32))
    onnx.checker.check_model(str(path), full_check=True)
    image = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    found = Engine(path, "cpu", threads=1).segment(image)
    mask, confidence = known_answer(image)
    np.testing.assert_array_equal(found.mask, mask)
    np.testing.assert_array_equal(found.confidence, confidence)


def test_numbers_of_variable_length() -> None:
    assert [number_bytes(value).hex() for value in (0, 127, 128, 300)] == ["00", "7f", "8001", "ac02"]
    assert number_bytes(-1) == b"\xff" * 9 + b"\x01"


def test_a_seed_gives_the_same_file_again() -> None:
    for case in CASES:
        assert faulty_model(case, 3) == faulty_model(case, 3)
    assert faulty_model("one bit flipped", 3) != faulty_model("one bit flipped", 4)


@pytest.mark.parametrize("case", CASES)
def test_each_fault_has_its_outcome(case: str, tmp_path: Path) -> None:
    for seed in range(3):
        verdict = suite.try_case(case, seed, tmp_path)
        assert verdict.outcome.good, verdict
    if case == "whole":
        assert verdict.outcome is Outcome.RIGHT
