"""A file with a domain distance also corrects its expected accuracy, where the images have labels."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import trust_entries

from distill.benchmarks.one_convolution import Kind, card, write_model
from distill.checkpoints.stored_calibration import UNCALIBRATED
from distill.datasets.frame import Frame
from distill.export.calibrated_file import fit_to_file
from distill.export.domain_file import StatisticsOfMaps, read_without_distance
from distill.export.model_card import calibrated_card
from kd_seg_ros.inference.accuracy import AccuracyEstimate
from kd_seg_ros.inference.engine import Engine

KIND = Kind(size=(40, 56), multiple=8)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "plain.onnx", KIND)


def write_frames(folder: Path, plain: Path, wrong: bool = False) -> list[Frame]:
    """Write images with the file's own mask as labels; ``wrong``: with other labels for every third."""
    engine, rng = Engine(plain, "cpu"), np.random.default_rng(0)
    frames = []
    for number in range(24):
        coarse = rng.integers(40, 216, (10, 14, 3), np.uint8)
        image = np.asarray(cv2.resize(coarse, (56, 40), interpolation=cv2.INTER_CUBIC), np.uint8)
        labels = engine.segment(image).mask
        if wrong and number % 3 == 0:
            labels = (labels + 1) % KIND.classes
        paths = folder / f"{number}.png", folder / f"{number}_labels.png"
        cv2.imwrite(str(paths[0]), image[..., ::-1])
        cv2.imwrite(str(paths[1]), labels)
        frames.append(Frame(*paths, "fog", num_classes=5))
    return frames


def test_the_accuracy_is_corrected_and_withheld_far_away(
    plain: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    out = tmp_path / "corrected.onnx"
    frames = write_frames(tmp_path, plain)
    fit_to_file(StatisticsOfMaps(plain), frames, "noise").write(plain, out)
    assert "the network runs 72 times" in caplog.text
    assert "expected accuracy: mean error on held-out images" in caplog.text
    engine = Engine(out, "cpu")
    entry = engine.card.accuracy_correction
    assert (entry["images"], entry["source"]) == (72, "noise")
    assert entry["error"] < 0.05 < entry["error_raw"]
    image = np.asarray(cv2.imread(str(frames[0].image)), np.uint8)
    found = engine.expected_accuracy(engine.segment(image, bgr=True))
    assert found is not None
    assert found.kind == "corrected"
    assert found.value == pytest.approx(1, abs=0.05)  # all of its pixels are right
    white = engine.segment(np.full((*KIND.size, 3), 255, np.uint8))
    assert engine.expected_accuracy(white) == AccuracyEstimate(None, "unknown")
    # Whoever takes the distance away, takes away what is computed from it.
    assert read_without_distance(out)[1].accuracy_correction == {}


def test_without_labels_or_where_it_errs_too_much_it_stays_raw(
    plain: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    frames = write_frames(tmp_path, plain, wrong=True)
    bare = [replace(frame, labels=None) for frame in frames]
    for given, text in (
        (bare, "without labels the expected accuracy cannot be corrected"),
        (frames, "the expected accuracy is not corrected, but stays raw: it errs by more than 5%"),
    ):
        out = tmp_path / "raw.onnx"
        fit_to_file(StatisticsOfMaps(plain), given, "noise").write(plain, out)
        assert text in caplog.text
        found = Engine(out, "cpu").card
        assert found.domain
        assert found.accuracy_correction == {}


def test_another_calibration_takes_the_correction_away() -> None:
    """It was fitted to another confidence."""
    old = replace(card(KIND), accuracy_correction=trust_entries.CORRECTION, domain=trust_entries.DOMAIN)
    scores = {"full": {"ece": 0.1, "reliability": {}}}
    document = {
        "method": "temperature",
        "parameters": {"temperature": 2.0},
        "scores": {UNCALIBRATED: scores, "temperature": scores},
        "miou": {},
        "expected_accuracy": {},
        "risk": [],
    }
    found = calibrated_card(old, document)
    assert found.accuracy_correction == {}
    assert found.domain == old.domain
