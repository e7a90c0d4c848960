"""A file for images of any size is tried at a size that it was not made at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distill.export import verified_export
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.engine import EngineError, Prediction

IMAGE = np.zeros((64, 96, 3), np.uint8)
OUT = Path("student.onnx")


class File:
    """Stands in for an engine: answers class 1 everywhere, or fails."""

    dynamic = True
    size = (64, 96)

    def __init__(self, wrong: float = 0.0, failure: str = "") -> None:
        self.seen: list[tuple[int, ...]] = []
        self._wrong, self._failure = wrong, failure

    def segment(self, image: np.ndarray) -> Prediction:
        self.seen.append(image.shape)
        if self._failure:
            raise EngineError(self._failure)
        mask = np.ones(image.shape[:2], np.uint8)
        mask.ravel()[: round(self._wrong * mask.size)] = 0
        return Prediction(mask, mask)


@pytest.fixture(autouse=True)
def _network(monkeypatch: pytest.MonkeyPatch) -> None:
    def segmenter(_model: Any) -> Any:
        return lambda image: (np.ones(image.shape[:2], np.uint8), None)

    monkeypatch.setattr(verified_export, "torch_segmenter", segmenter)


def try_another_size(file: Any) -> None:
    verified_export._check_another_size(file, OUT, None, IMAGE)  # type: ignore[arg-type]


def test_rounding_is_no_disagreement() -> None:
    file = File(wrong=0.02)
    try_another_size(file)
    assert file.seen == [(48, 60, 3)]


def test_other_classes_are_refused() -> None:
    with pytest.raises(UserError, match=r"60×48 only 90\.0% of the classes .* without --dynamic"):
        try_another_size(File(wrong=0.1))


def test_a_network_that_fails_is_refused_with_the_remedy() -> None:
    with pytest.raises(UserError, match=r"60×48 it fails.*\(Add: 4 by 8\): .* without --dynamic"):
        try_another_size(File(failure="Add: 4 by 8"))
