"""All scores against torchmetrics and scikit-learn, and against the NumPy scores of mask and confidence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torchmetrics
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score
from torch import Tensor

from distill.evaluation.evaluation import Evaluation, ScoreOptions
from distill.evaluation.mask_scores import MaskScores

CLASSES = ("road", "car", "sky", "train")
"""The last occurs nowhere."""


@pytest.fixture(scope="module")
def samples() -> list[tuple[str, str, NDArray[np.uint8], Tensor]]:
    rng = np.random.default_rng(0)
    found = []
    for i in range(20):
        labels = rng.integers(0, 3, (12, 16)).astype(np.uint8)
        logits = torch.from_numpy(rng.normal(0, 1.5, (4, 12, 16)).astype(np.float32))
        logits[3] -= 2
        logits.scatter_add_(0, torch.from_numpy(labels.astype(np.int64))[None], torch.ones(1, 12, 16))
        labels[rng.random(labels.shape) < 0.1] = 255
        found.append(("fog" if i % 3 else "night", f"{i}.png", labels, logits))
    return found


@pytest.fixture(scope="module")
def evaluation(samples: list[tuple[str, str, NDArray[np.uint8], Tensor]]) -> Evaluation:
    evaluation = Evaluation(CLASSES, ScoreOptions(bins=20, exact_auprc=True))
    for sample in samples:
        evaluation.update(*sample)
    return evaluation


@pytest.mark.parametrize("condition", ["full", "fog", "night"])
def test_values_are_torchmetrics(
    evaluation: Evaluation, samples: list[tuple[str, str, NDArray[np.uint8], Tensor]], condition: str
) -> None:
    found = evaluation.summary()[condition]
    mine = [s for s in samples if condition in ("full", s[0])]
    logits = torch.stack([s[3] for s in mine]).double()
    labels = torch.from_numpy(np.stack([s[2] for s in mine])).long()
    p, y = logits.softmax(1).movedim(1, -1)[labels != 255], labels[labels != 255]
    options: dict[str, Any] = {"num_classes": 4, "average": "none"}
    iou = torchmetrics.functional.jaccard_index(p.argmax(1), y, "multiclass", **options)
    assert list(found["iou"].values())[:3] == pytest.approx(iou[:3].tolist(), abs=1e-6)
    for bins in (1, 15, 20):
        ece = torchmetrics.functional.calibration_error(p, y, "multiclass", num_classes=4, n_bins=bins)
        assert found["ece_by_bins"][str(bins)] == pytest.approx(float(ece), abs=1e-6)
    assert found["ece"] == found["ece_by_bins"]["15"]
    area = torchmetrics.functional.average_precision(p, y, "multiclass", thresholds=20, **options)
    assert area is not None
    assert list(found["auprc"]["per_class"].values())[:3] == pytest.approx(area[:3].tolist(), abs=1e-6)
    assert found["auprc"]["per_class"]["train"] is None
    assert found["auprc"]["mean"] == pytest.approx(float(area[:3].mean()), abs=1e-6)
    exact = [average_precision_score(y == c, p[:, c].float()) for c in range(3)]
    assert list(found["auprc_exact"]["per_class"].values())[:3] == pytest.approx(exact, abs=1e-6)
    one_hot = torch.nn.functional.one_hot(y, 4)
    assert found["brier"] == pytest.approx(float((p - one_hot).square().sum(1).mean()), abs=1e-6)
    assert found["nll"] == pytest.approx(float(-p.gather(1, y[:, None]).log().mean()), abs=1e-6)
    assert (found["images"], found["pixels"]) == (len(mine), len(y))


def test_batches_of_16_follow_the_order_of_the_images(
    evaluation: Evaluation, samples: list[tuple[str, str, NDArray[np.uint8], Tensor]]
) -> None:
    eces = []
    for batch in (samples[:16], samples[16:]):
        p = torch.cat([s[3].flatten(1).T[torch.from_numpy(s[2].ravel() != 255)] for s in batch]).softmax(1)
        y = torch.from_numpy(np.concatenate([s[2][s[2] != 255] for s in batch])).long()
        eces.append(torchmetrics.functional.calibration_error(p, y, "multiclass", num_classes=4, n_bins=15))
    assert evaluation.summary()["full"]["ece_batched16"] == pytest.approx(float(np.mean(eces)), abs=1e-6)


def test_mask_and_confidence_give_the_same_but_what_needs_all_classes(
    evaluation: Evaluation, samples: list[tuple[str, str, NDArray[np.uint8], Tensor]]
) -> None:
    top, numpy = Evaluation(CLASSES), MaskScores(CLASSES)
    for condition, name, labels, logits in samples:
        probability, mask = logits.softmax(0).max(0)
        maps = mask.byte().numpy(), probability.numpy()
        top.update_mask(condition, name, labels, *maps)
        numpy.update_mask(condition, name, labels, *maps)
    unknown = {"ece_classwise", "auprc", "auprc_exact", "brier", "nll"}
    for condition, scores in evaluation.summary().items():
        for other in (top.summary()[condition], numpy.summary()[condition]):
            assert {key for key, value in other.items() if value is None} == unknown
            for key in other.keys() - unknown:
                assert _numbers(other[key]) == pytest.approx(_numbers(scores[key]), abs=1e-6, nan_ok=True), (
                    key
                )


def test_the_images_add_up_to_the_whole(evaluation: Evaluation) -> None:
    images, full = evaluation.images(), evaluation.summary()["full"]
    assert images.confusion.sum(axis=0).tolist() == full["confusion"]
    assert images.count.sum() == full["pixels"]
    gap = np.abs((images.correct - images.confidence).sum(axis=0)).sum()
    assert gap / full["pixels"] == pytest.approx(full["ece"])
    assert images.names.tolist()[:2] == ["0.png", "1.png"]
    assert set(images.conditions) == {"fog", "night"}


def test_options_that_were_not_asked_for_are_not_there(
    samples: list[tuple[str, str, NDArray[np.uint8], Tensor]],
) -> None:
    evaluation = Evaluation(CLASSES)
    evaluation.update(*samples[0])
    full = evaluation.summary()["full"]
    assert "ece_by_bins" not in full
    assert full["auprc_exact"] is None


def _numbers(value: object) -> list[float]:
    """Flatten, None as NaN."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for item in value for number in _numbers(item)]
    return [float("nan") if value is None else float(value)]  # type: ignore[arg-type]
