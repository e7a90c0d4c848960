"""Scores of masks and confidence by hand; that they are torchmetrics' is tested with the evaluation."""

from __future__ import annotations

import numpy as np
import pytest

from distill.evaluation.mask_scores import MaskScores
from distill.evaluation.metrics_json import condition_key

LABELS = np.array([[0, 0, 1, 255]], np.uint8)
MASK = np.array([[0, 1, 255, 0]], np.uint8)
CONFIDENCE = np.array([[1.0, 0.75, 0.25, 0.5]], np.float32)


def test_an_image_counts_in_its_condition_and_in_total() -> None:
    scores = MaskScores(("road", "car"))
    scores.update_mask("fog", "a.png", LABELS, MASK, CONFIDENCE)
    scores.update_mask(None, "b.png", LABELS, MASK, CONFIDENCE)
    summary = scores.summary()
    assert list(summary) == ["full", "fog"]
    assert (summary["full"]["images"], summary["fog"]["images"]) == (2, 1)
    # One hit; road has a union of 2 pixels and car of 2; an abstained pixel is a miss of its class.
    fog = summary["fog"]
    assert fog["confusion"] == [[1, 1, 0], [0, 0, 1]]
    assert fog["iou"] == {"road": 0.5, "car": 0.0}
    # The three labelled pixels lie in three bins: |1 − 1|, |0 − 0.75| and |0 − 0.25|.
    assert fog["ece"] == pytest.approx(1 / 3)
    assert fog["ece_per_class"] == {"road": 0.0, "car": 0.75}
    assert fog["auprc"] is None
    images = scores.images()
    assert (images.names.tolist(), images.conditions.tolist()) == (["a.png", "b.png"], ["fog", "full"])


def test_without_the_single_images_the_scores_are_the_same() -> None:
    kept, not_kept = MaskScores(("road", "car")), MaskScores(("road", "car"), keep_images=False)
    for scores in (kept, not_kept):
        scores.update_mask("fog", "a.png", LABELS, MASK, CONFIDENCE)
    assert kept.summary() == not_kept.summary()
    with pytest.raises(ValueError, match="no single images"):
        not_kept.images()


def test_other_values_are_refused() -> None:
    scores = MaskScores(("road", "car"))
    with pytest.raises(ValueError, match="labels hold values other than"):
        scores.update_mask("fog", "a.png", LABELS + 2, MASK, CONFIDENCE)
    with pytest.raises(ValueError, match=r"confidence must lie in 0…1"):
        scores.update_mask("fog", "a.png", LABELS, MASK, CONFIDENCE * np.float32(np.nan))


def test_a_condition_called_as_the_total_is_counted_once() -> None:
    scores = MaskScores(("road", "car"))
    for condition in ("full", "full", "fog"):
        scores.update_mask(condition, "a.png", LABELS, MASK, CONFIDENCE)
    summary = scores.summary()
    assert {key: found["images"] for key, found in summary.items()} == {
        "full": 3,
        "full (condition)": 2,
        "fog": 1,
    }
    assert scores.images().conditions.tolist() == ["full (condition)", "full (condition)", "fog"]


@pytest.mark.parametrize(
    ("condition", "key"),
    [
        ("a\nb\x1b[31m", "a?b?[31m"),
        ("  ", "full"),
        (None, "full"),
        (" fog ", "fog"),
        ("x" * 100, "x" * 60 + "…"),
        ("Schnee, naß", "Schnee, naß"),
        ("[red]", "[red]"),
    ],
)
def test_odd_names_of_conditions(condition: str | None, key: str) -> None:
    assert condition_key(condition) == key
