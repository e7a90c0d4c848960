from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from distill.checkpoints.stored_calibration import (
    calibration_path,
    load_calibration,
    read_calibration_document,
)
from distill.models.logit_calibration import NONE, LogitCalibration
from kd_seg_ros.common.errors import UserError

BARS = {"confidence": [None, 0.8], "accuracy": [None, 0.7], "share": [0.0, 1.0]}
SCORES = {"full": {"ece": 0.1, "reliability": BARS}}
HALF = {"full": {"reliability": BARS | {"share": [0.0, 0.5]}}}
DOCUMENT: dict[str, Any] = {
    "schema_version": 2,
    # sha256("abc"), FIPS 180-2 appendix B.1
    "checkpoint_sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "method": "class_temperature",
    "parameters": {"temperatures": [1.5, 2]},
    "scores": {"none": SCORES, "class_temperature": SCORES},
    "miou": {"full": 0.5},
    "expected_accuracy": {},
}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "best.ckpt"
    path.write_bytes(b"abc")
    return path


def write(checkpoint: Path, **changes: Any) -> None:
    calibration_path(checkpoint).write_text(json.dumps(DOCUMENT | changes))


def without_ece() -> dict[str, Any]:
    scores = {"full": {"reliability": BARS}}
    return DOCUMENT | {"scores": {"none": scores, "class_temperature": scores}}


def test_the_ece_of_an_older_file_is_computed_again(checkpoint: Path) -> None:
    """Before the last bin was closed, the stored ECE was larger than that of the bars."""
    older = {"full": {"ece": 0.3, "reliability": BARS}}
    write(checkpoint, scores={"none": older, "class_temperature": older})
    found = read_calibration_document(checkpoint)
    assert found is not None
    assert found["scores"]["none"]["full"]["ece"] == pytest.approx(0.1)


def test_a_network_whose_calibration_was_not_kept_stays_as_it_is(checkpoint: Path) -> None:
    write(checkpoint, method="none", parameters={})
    assert load_calibration(checkpoint) == NONE


def test_calibration_belongs_to_one_version_of_a_checkpoint(checkpoint: Path) -> None:
    assert read_calibration_document(checkpoint) is None
    assert load_calibration(checkpoint) is None
    write(checkpoint)
    found = read_calibration_document(checkpoint)
    assert found is not None
    assert found["scores"]["none"]["full"].pop("ece") == pytest.approx(0.1)
    assert found["scores"]["class_temperature"]["full"].pop("ece") == pytest.approx(0.1)
    assert found == without_ece()
    assert load_calibration(checkpoint) == LogitCalibration("class_temperature", temperatures=(1.5, 2))
    checkpoint.write_bytes(b"abcd")
    with pytest.raises(UserError, match="another version"):
        read_calibration_document(checkpoint)


@pytest.mark.parametrize("version", [1, 3, "2"])
def test_another_schema_version_is_refused_with_what_to_do(checkpoint: Path, version: object) -> None:
    write(checkpoint, schema_version=version)
    with pytest.raises(UserError, match=rf"version {version!r}; .* 2: run `kd_seg calibrate` again"):
        read_calibration_document(checkpoint)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"method": "isotonic"}, r"scores\.isotonic\.full is missing"),
        ({"method": ["vector"]}, r"method is \['vector'\]: input should be a valid string"),
        ({"parameters": {"temperatures": []}}, "method and parameters: "),
        ({"parameters": {"temperatures": [1.5, -2]}}, "method and parameters: "),
        ({"parameters": {"temperature": 1.0}}, "method and parameters: "),
        ({"parameters": {"temperatures": [1.5, True]}}, r"parameters\.temperatures\."),
        ({"parameters": [1.0]}, r"parameters is \[1\.0\]"),
        ({"scores": {"none": SCORES}}, r"scores\.class_temperature\.full is missing"),
        (
            {"scores": {"none": {"full": {}}, "class_temperature": SCORES}},
            r"scores\.none\.full\.reliability is missing",
        ),
        (
            {"scores": {"none": SCORES | {"fog": SCORES["full"]}, "class_temperature": SCORES}},
            r"scores\.class_temperature has other conditions than scores\.none",
        ),
        (
            {
                "scores": {
                    "none": SCORES,
                    "class_temperature": {"full": {"reliability": BARS | {"share": [0.0, 0.5]}}},
                }
            },
            r"scores\.class_temperature\.full\.reliability\.share sums to 0\.5, not to 1",
        ),
        ({"miou": None}, "miou is None"),
        ({"miou": {"full": 1.5}}, r"miou\.full is 1\.5"),
        ({"expected_accuracy": {"full": [0.9, 0.8]}}, r"expected_accuracy\.full goes from 0\.9 down to 0\.8"),
        ({"expected_accuracy": {"full": [0.9]}}, r"expected_accuracy\.full"),
        ({"checkpoint_sha256": 5}, "checkpoint_sha256 is 5"),
    ],
)
def test_a_damaged_file_is_one_line_with_the_place(
    checkpoint: Path, changes: dict[str, Any], fault: str
) -> None:
    write(checkpoint, **changes)
    with pytest.raises(UserError, match=rf"^[^\n]*damaged: {fault}[^\n]*: run `kd_seg calibrate` again$"):
        read_calibration_document(checkpoint)


@pytest.mark.parametrize("text", ["{", "[]", "{}", "1", "[" * 100_000, "1" * 10_000])
def test_no_document_at_all(checkpoint: Path, text: str) -> None:
    calibration_path(checkpoint).write_text(text)
    with pytest.raises(UserError, match="damaged"):
        read_calibration_document(checkpoint)
