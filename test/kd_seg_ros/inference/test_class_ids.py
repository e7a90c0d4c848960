from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_model

from kd_seg_ros.inference.class_ids import ClassIds
from kd_seg_ros.inference.engine import Engine
from kd_seg_ros.inference.errors import EngineError

FEW: dict[str, Any] = {"class_names": ("road", "car"), "palette": ((0, 0, 0), (1, 1, 1))}


def test_known_ids_and_the_ignore_id_stay() -> None:
    mask = np.array([[0, 18, 255], [5, 255, 1]], np.uint8)
    ids = ClassIds(Path("a.onnx"), tiny_model.card(2, 3))
    before = mask.copy()
    ids.clean(mask)
    np.testing.assert_array_equal(mask, before)
    assert ids.masks_with_others == 0


def test_other_ids_become_unlabelled_and_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    ids = ClassIds(Path("a.onnx"), tiny_model.card(2, 3))
    with caplog.at_level(logging.WARNING):
        for _ in range(9):
            mask = np.array([[0, 19, 254], [5, 255, 1]], np.uint8)
            ids.clean(mask)
    np.testing.assert_array_equal(mask, [[0, 255, 255], [5, 255, 1]])
    assert ids.masks_with_others == 9
    warnings = [record.getMessage() for record in caplog.records]
    assert [text.rsplit(" ", 1)[1] for text in warnings] == ["1", "2", "4", "8"]
    assert "a.onnx: its masks hold class ids that its card does not name (19, 254; it names 19" in warnings[0]


def test_a_file_whose_card_names_too_few_classes_does_not_warm_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tiny_model.write_tiny_model(tmp_path / "few.onnx", 40, 64, **FEW)
    with pytest.raises(EngineError, match=r"few\.onnx: .* \(2, 3, 4, 5, 6 and 12 more; it names 2 classes\)"):
        Engine(path, "cpu").warm_up()
    assert not caplog.records


def test_masks_of_such_a_file_hold_only_ids_that_the_card_names(tmp_path: Path) -> None:
    """Whoever does not warm up, and for ids that noise does not bring up."""
    engine = Engine(tiny_model.write_tiny_model(tmp_path / "few.onnx", 40, 64, **FEW), "cpu")
    image = np.random.default_rng(1).integers(0, 256, (40, 64, 3), dtype=np.uint8)
    assert set(np.unique(engine.segment(image).mask)) == {0, 1, 255}
    assert engine.class_ids.masks_with_others == 1
