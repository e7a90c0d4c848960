"""Labels are spoilt as much as was asked for, and no others."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy import ndimage

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "noisy_labels.py"
ROAD, CAR, TRUCK, SKY = 0, 13, 14, 10


@pytest.fixture(scope="module")
def script() -> Any:
    spec = importlib.util.spec_from_file_location("noisy_labels", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def grid(train_id: int) -> np.ndarray:
    """A road with 30×30 small objects of a class."""
    labels = np.zeros((240, 240), np.uint8)
    for row in range(30):
        for column in range(30):
            labels[8 * row + 2 : 8 * row + 6, 8 * column + 2 : 8 * column + 6] = train_id
    return labels


def objects(labels: np.ndarray, train_id: int) -> int:
    return int(ndimage.label(labels == train_id)[1])


def test_objects_are_forgotten_and_confused_as_often_as_was_asked_for(script: Any) -> None:
    spoilt = script.spoil_objects(grid(CAR), 0.3, 0.2, np.random.default_rng(0))
    share = {train_id: objects(spoilt, train_id) / 900 for train_id in (CAR, TRUCK)}
    assert share[TRUCK] == pytest.approx(0.7 * 0.2, abs=0.04)
    assert share[CAR] == pytest.approx(0.7 * 0.8, abs=0.05)
    assert set(np.unique(spoilt)) == {ROAD, CAR, TRUCK}


def test_large_regions_stay_and_holes_get_the_nearest_class(script: Any) -> None:
    labels = np.full((60, 100), ROAD, np.uint8)
    labels[:30] = SKY
    labels[10:14, 40:44] = CAR  # in the sky
    labels[50:54, 40:44] = CAR
    spoilt = script.spoil_objects(labels, 1.0, 0.0, np.random.default_rng(0))
    expected = np.full((60, 100), ROAD, np.uint8)
    expected[:30] = SKY
    np.testing.assert_array_equal(spoilt, expected)
    np.testing.assert_array_equal(script.spoil_objects(labels, 0.0, 0.0, np.random.default_rng(0)), labels)


def test_resemblance_is_mutual(script: Any) -> None:
    for first, second in script.RESEMBLING:
        assert second in script.resembling(first)
        assert first in script.resembling(second)
    assert script.resembling(SKY) == []


def test_polygons_are_off_by_no_more_than_was_asked_for(script: Any) -> None:
    y, x = np.mgrid[:120, :160]
    labels = np.zeros((120, 160), np.uint8)
    labels[(y - 60) ** 2 + (x - 80) ** 2 < 45**2] = CAR
    np.testing.assert_array_equal(script.with_polygons(labels, 0), labels)
    found = script.with_polygons(labels, 3)
    changed = found != labels
    border = ndimage.distance_transform_edt(labels == CAR) + ndimage.distance_transform_edt(labels != CAR)
    assert changed.any()
    assert border[changed].max() <= 3 + 1.5


def test_training_labels_are_spoilt_and_others_copied(script: Any, tmp_path: Path) -> None:
    for split in ("train", "val"):
        for number in range(2):
            path = tmp_path / f"gt/fog/{split}/a/{number}_gt_labelTrainIds.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), grid(CAR))
    assert script.main([str(tmp_path / "gt"), str(tmp_path / "noisy")]) == 0
    assert script.main([str(tmp_path / "gt"), str(tmp_path / "again")]) == 0
    spoilt = []
    for path in sorted((tmp_path / "gt").rglob("*.png")):
        place = path.relative_to(tmp_path / "gt")
        written = (tmp_path / "noisy" / place).read_bytes()
        assert written == (tmp_path / "again" / place).read_bytes()
        if "val" in place.parts:
            assert written == path.read_bytes()
        else:
            spoilt.append(np.asarray(cv2.imread(str(tmp_path / "noisy" / place), cv2.IMREAD_UNCHANGED)))
    assert not np.array_equal(spoilt[0], grid(CAR))
    assert not np.array_equal(spoilt[0], spoilt[1])  # each image has its own mistakes


def test_mistakes_are_one_line(script: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert script.main([str(tmp_path), str(tmp_path / "out")]) == 2
    assert "holds no PNG files" in capsys.readouterr().err
    cv2.imwrite(str(tmp_path / "a.png"), grid(CAR))
    assert script.main([str(tmp_path), str(tmp_path)]) == 2
    assert capsys.readouterr().err.strip().endswith("exists")
