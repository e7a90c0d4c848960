"""The shipped model does what its card says: it knows synthetic streets, in any weather."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from distill.datasets.frame import read_image
from distill.evaluation.evaluated_model import open_onnx
from distill.metrics import confusion_matrix, mean_iou
from distill.scenes.render import render_scene
from kd_seg_ros.common.classes import CLASS_NAMES, NUM_CLASSES
from kd_seg_ros.inference.drift import DriftMonitor
from kd_seg_ros.inference.engine import Engine

ROOT = Path(__file__).parent.parent
CONDITIONS = ("fog", "night", "rain", "snow")
MODEL = ROOT / "resource" / "demo_student.onnx"


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(MODEL, "cpu")


def test_card_says_plainly_what_it_is(engine: Engine) -> None:
    card = engine.card
    assert "synthetic streets only" in card.limitations
    assert "must not be used on a vehicle" in card.limitations
    assert card.class_names == CLASS_NAMES
    for scores in (card.miou, card.ece_before, card.ece_after):
        assert set(scores) == {"full", *CONDITIONS}
    assert card.ece_after["full"] <= card.ece_before["full"]
    assert card.agreement["argmax"] >= 0.995
    assert card.config["teacher"]["checkpoint"]  # it was distilled
    assert not any(str(value).startswith("/") for value in card.config["data"].values())


def test_it_can_be_evaluated_without_naming_its_data() -> None:
    data = open_onnx(MODEL, "cpu").data
    assert data is not None
    assert data.dataset == "acdc"


def test_it_is_a_few_megabytes() -> None:
    assert MODEL.stat().st_size < 8e6


@pytest.mark.parametrize("condition", CONDITIONS)
def test_it_knows_streets_it_has_not_seen(engine: Engine, condition: str) -> None:
    matrix = np.zeros((NUM_CLASSES, NUM_CLASSES + 1), np.int64)
    errors = []
    for seed in range(900_000, 900_006):
        frame = render_scene(seed, engine.size, condition)
        found = engine.segment(frame.rgb)
        matrix += confusion_matrix(frame.labels, found.mask, NUM_CLASSES)
        expected = engine.expected_accuracy(found)
        assert expected is not None
        assert (expected.kind, expected.value is None) == ("corrected", False)
        errors.append(abs(expected.value - (found.mask == frame.labels).mean()))
    assert np.mean(errors) < 0.05
    assert np.trace(matrix) / matrix.sum() > 0.8
    assert mean_iou(matrix) > 0.7 * engine.card.miou[condition]


NIGHT = sorted((ROOT.parent / "shared/data/acdc_mini/rgb_anon/night/val").glob("*/*_rgb_anon.png"))


@pytest.mark.skipif(not NIGHT, reason="no real frames next to the checkout")
def test_it_does_not_vouch_for_a_real_night(engine: Engine) -> None:
    """Two in three of its pixels are right, of which the confidence knows nothing."""
    found = engine.segment(read_image(NIGHT[0]))
    raw = DriftMonitor.of_card(replace(engine.card, accuracy_correction={}), window=10)
    watch = DriftMonitor.of_card(engine.card, window=10)
    assert raw is not None
    assert watch is not None
    raw.add(found.confidence, found.domain_distance)
    watch.add(found.confidence, found.domain_distance)
    taken, known = raw.state(), watch.state()
    assert taken is not None
    assert known is not None
    assert taken.latest is not None
    assert taken.latest > 0.7
    assert known.unknown or known.outside
