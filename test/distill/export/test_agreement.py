"""The gate's judgement of altered images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from distill.export import agreement
from distill.export.agreement import Agreement, AlteredAgreement, measure_altered

# Three classes on four pixels: certain, certain, nearly undecided between 0 and 1, certain.
PROBABILITIES = torch.tensor([[0.9, 0.1, 0.41, 0.2], [0.05, 0.8, 0.39, 0.1], [0.05, 0.1, 0.2, 0.7]])


class File:
    """Stands for an engine."""

    size = (1, 4)


@pytest.mark.parametrize(
    ("mask", "argmax", "clear"),
    [
        ([0, 1, 0, 2], 1.0, 1.0),
        ([0, 1, 1, 2], 0.75, 1.0),
        ([0, 1, 2, 2], 0.75, 0.75),
        ([1, 1, 1, 2], 0.5, 0.75),
        ([3, 1, 0, 2], 0.75, 0.75),
    ],
)
def test_a_pixel_between_two_classes_may_be_either(
    monkeypatch: pytest.MonkeyPatch, mask: list[int], argmax: float, clear: float
) -> None:
    def of_file(_: Any) -> Any:
        return lambda image: (np.array([mask], np.uint8), None)

    def of_network(_: Any) -> Any:
        return lambda image: PROBABILITIES[:, None].log()

    monkeypatch.setattr(agreement, "engine_segmenter", of_file)
    monkeypatch.setattr(agreement, "torch_predictor", of_network)
    found = measure_altered(None, File(), {"dark": np.zeros((1, 4, 3), np.uint8)})  # type: ignore[arg-type]
    assert found == {"dark": AlteredAgreement(argmax, clear)}


def judged(**altered: tuple[float, float]) -> Agreement:
    found: Mapping[str, AlteredAgreement] = {k: AlteredAgreement(*v) for k, v in altered.items()}
    return Agreement(3, 0.999, 0.001, math.nan, True, found)


def test_an_altered_image_counts_by_its_clear_pixels_and_the_card_has_both() -> None:
    good = judged(dark=(0.98, 0.999), faint=(0.999, 1.0))
    assert good.failures() == []
    assert good.weak() == ["dark"]
    plain = {"images": 3, "argmax": 0.999, "confidence": 0.001, "finite": 1}
    dark = {"argmax_dark": 0.98, "clear_dark": 0.999}
    assert good.as_dict() == plain | dark | {"argmax_faint": 0.999, "clear_faint": 1.0}
    assert "altered: dark 98.000%, faint 99.900%" in good.describe()
    (failure,) = judged(dark=(0.98, 0.98)).failures()
    assert failure.startswith("argmax agreement on a dark image 98.00% is below 99.5%")
    assert judged(dark=(math.nan, math.nan)).weak() == ["dark"]
