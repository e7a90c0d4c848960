"""The shipped model does what its card says: it knows synthetic streets, in any weather."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from distill.evaluation.evaluated_model import open_onnx
from distill.metrics import confusion_matrix, mean_iou
from distill.scenes.render import render_scene
from kd_seg_ros.common.classes import CLASS_NAMES, NUM_CLASSES
from kd_seg_ros.inference.engine import Engine

CONDITIONS = ("fog", "night", "rain", "snow")
MODEL = Path(__file__).parent.parent / "resource" / "demo_student.onnx"


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
    for seed in range(900_000, 900_006):
        frame = render_scene(seed, engine.size, condition)
        matrix += confusion_matrix(frame.labels, engine.segment(frame.rgb).mask, NUM_CLASSES)
    assert np.trace(matrix) / matrix.sum() > 0.8
    assert mean_iou(matrix) > 0.7 * engine.card.miou[condition]
