"""All scores of one pass against torchmetrics and scikit-learn, on random and on degenerate predictions."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss
from torch import Tensor
from torchmetrics.functional.classification import (
    binary_calibration_error,
    multiclass_average_precision,
    multiclass_calibration_error,
    multiclass_confusion_matrix,
    multiclass_jaccard_index,
)

from distill.metrics import iou_per_class, mean_iou
from distill.metrics.accumulator import Accumulator

C, IGNORE = 5, 255
BINS = (15, 1, 7, 10, 20)
Image = tuple[Tensor, Tensor]
"""Probabilities float32 [C, H, W] and labels uint8 [H, W]."""


def random_image(seed: int = 0, sharpness: float = 2.0, size: tuple[int, int] = (20, 30)) -> Image:
    """A noisy classifier, and labels of which a tenth is ignored."""
    generator = torch.Generator().manual_seed(seed)
    p = (sharpness * torch.randn(C, *size, generator=generator)).softmax(0)
    random = torch.randint(C, size, generator=generator)
    labels = torch.where(torch.rand(size, generator=generator) < 0.7, p.argmax(0), random)
    labels[torch.rand(size, generator=generator) < 0.1] = IGNORE
    return p, labels.to(torch.uint8)


def absent_class() -> Image:
    p, labels = random_image(1)
    labels[labels == 2] = 1
    return p, labels


def one_class() -> Image:
    p, labels = random_image(2)
    return p, labels.masked_fill(labels != IGNORE, 3)


def all_ignored() -> Image:
    p, labels = random_image(3)
    return p, torch.full_like(labels, IGNORE)


def one_pixel() -> Image:
    return torch.tensor([0.1, 0.2, 0.4, 0.2, 0.1]).view(C, 1, 1), torch.tensor([[1]], dtype=torch.uint8)


def certain() -> Image:
    """Probabilities of exactly 0 and 1, right and wrong."""
    p, labels = random_image(4)
    return torch.nn.functional.one_hot(p.argmax(0), C).permute(2, 0, 1).float(), labels


def some_certain() -> Image:
    (p, labels), (hard, _) = random_image(4), certain()
    return torch.where(torch.rand(labels.shape) < 0.5, hard, p), labels


def ties() -> Image:
    p, labels = random_image(5)
    return torch.full_like(p, 1 / C), labels


def on_edges(edges: Tensor) -> Image:
    """One class exactly on an edge or next to it, the others share the rest."""
    values = torch.cat(
        [edges, torch.nextafter(edges, torch.zeros(())), torch.nextafter(edges, torch.ones(()))]
    )
    n = len(values)
    p = ((1 - values) / (C - 1)).expand(C, n).clone()
    p[torch.arange(n) % C, torch.arange(n)] = values
    return p.view(C, 1, n), (torch.arange(n) // 2 % C).to(torch.uint8).view(1, n)


IMAGES: dict[str, Callable[[], Image]] = {
    "random": random_image,
    "diffuse": lambda: random_image(6, 0.1),
    "saturated": lambda: random_image(7, 60.0),
    "absent class": absent_class,
    "one class": one_class,
    "all ignored": all_ignored,
    "one pixel": one_pixel,
    "certain": certain,
    "some certain": some_certain,
    "ties": ties,
    "on bin edges": lambda: on_edges(torch.linspace(0, 1, 16)),
    "on k/15": lambda: on_edges(torch.arange(16) / 15),
    "on thresholds": lambda: on_edges(torch.linspace(0, 1, 20)),
}


@pytest.fixture(params=IMAGES, scope="module")
def image(request: pytest.FixtureRequest) -> Image:
    torch.manual_seed(0)
    return IMAGES[request.param]()


@pytest.fixture(scope="module")
def scores(image: Image) -> Accumulator:
    result = Accumulator(C, BINS, exact=True)
    result.update(*image)
    return result


def batch(image: Image) -> Image:
    return image[0][None], image[1][None].long()


def labelled(image: Image) -> tuple[Tensor, Tensor]:
    """Probabilities [n, C] and labels [n] of the labelled pixels."""
    valid = image[1] != IGNORE
    return image[0][:, valid].T, image[1][valid].long()


def test_confusion_and_iou_equal_torchmetrics(image: Image, scores: Accumulator) -> None:
    counts = multiclass_confusion_matrix(*batch(image), C, ignore_index=IGNORE)
    np.testing.assert_array_equal(scores.confusion[:, :C], counts.numpy())
    assert not scores.confusion[:, C].any()
    assert (scores.images, scores.pixels) == (1, int(counts.sum()))
    iou = multiclass_jaccard_index(*batch(image), C, "none", ignore_index=IGNORE)
    np.testing.assert_allclose(np.nan_to_num(iou_per_class(scores.confusion)), iou.numpy(), atol=1e-6)
    if scores.pixels:
        mean = multiclass_jaccard_index(*batch(image), C, ignore_index=IGNORE)
        assert mean_iou(scores.confusion) == pytest.approx(mean.item(), abs=1e-6)


@pytest.mark.parametrize("bins", BINS)
def test_ece_equals_torchmetrics(image: Image, scores: Accumulator, bins: int) -> None:
    expected = multiclass_calibration_error(*batch(image), C, bins, ignore_index=IGNORE).item()
    assert scores.bins(bins).ece_torchmetrics() == pytest.approx(expected, abs=1e-6, nan_ok=True)
    assert scores.bins().ece() == pytest.approx(scores.bins(15).ece(), nan_ok=True)


def test_calibration_by_predicted_class_equals_torchmetrics(image: Image, scores: Accumulator) -> None:
    p, labels = labelled(image)
    confidence, predicted = p.max(1)
    for c, ours in enumerate(scores.bins_by_prediction()):
        mine = predicted == c
        expected = binary_calibration_error(confidence[mine], (labels == c)[mine].long(), 15).item()
        assert ours.ece_torchmetrics() == pytest.approx(expected, abs=1e-6, nan_ok=True)
        assert ours.pixels == mine.sum()


@pytest.mark.parametrize("bins", BINS)
def test_classwise_ece_equals_torchmetrics(image: Image, scores: Accumulator, bins: int) -> None:
    p, labels = labelled(image)
    expected = [binary_calibration_error(p[:, c], (labels == c).long(), bins).item() for c in range(C)]
    rows = scores.bins_by_class(bins)
    np.testing.assert_allclose([row.ece_torchmetrics() for row in rows], expected, atol=1e-6)
    mean = np.mean([row.ece() for row in rows])
    assert scores.classwise_ece(bins) == pytest.approx(mean, abs=1e-12, nan_ok=True)


def test_auprc_equals_torchmetrics(image: Image, scores: Accumulator) -> None:
    ours = scores.auprc()
    assert (ours.rule, ours.thresholds) == ("step", 20)
    thresholds = torch.linspace(0, 1, 20)
    theirs = multiclass_average_precision(*batch(image), C, None, thresholds, ignore_index=IGNORE).numpy()
    np.testing.assert_allclose(np.nan_to_num(ours.per_class), theirs, atol=1e-6)  # theirs: 0 if absent
    present = [bool((image[1] == c).any()) for c in range(C)]
    np.testing.assert_array_equal(~np.isnan(ours.per_class), present)
    if any(present):
        assert ours.mean == pytest.approx(theirs[present].mean(), abs=1e-6)


def test_trapezoid_equals_a_loop(image: Image, scores: Accumulator) -> None:
    p, labels = labelled(image)
    areas = scores.auprc("trapezoid")
    assert areas.rule == "trapezoid"
    for c, area in enumerate(areas.per_class):
        own = labels == c
        if not own.any():
            continue
        taken = [p[:, c] >= t for t in torch.linspace(0, 1, 20)]
        points = [
            (float((own & t).sum() / own.sum()), float(own[t].double().mean())) for t in taken if t.any()
        ]
        recall, precision = zip(*points, (0.0, 1.0), strict=True)
        assert area == pytest.approx(-np.trapezoid(precision, recall), abs=1e-6)


def test_exact_auprc_equals_scikit_learn(image: Image, scores: Accumulator) -> None:
    ours = scores.exact_auprc()
    assert (ours.rule, ours.thresholds) == ("step", None)
    p, labels = labelled(image)
    for c, area in enumerate(ours.per_class):
        if (labels == c).any():
            theirs = average_precision_score((labels == c).numpy(), p[:, c].numpy())
            assert area == pytest.approx(theirs, abs=1e-6)
        else:
            assert math.isnan(area)


def test_brier_and_nll_equal_scikit_learn(image: Image, scores: Accumulator) -> None:
    tensors = labelled(image)
    p, labels = tensors[0].numpy(), tensors[1].numpy()
    if not len(labels):
        assert math.isnan(scores.brier())
        assert math.isnan(scores.nll())
        return
    brier = brier_score_loss(labels, p, labels=range(C))
    assert scores.brier() == pytest.approx(brier, abs=1e-6)
    assert scores.nll() == pytest.approx(log_loss(labels, p, labels=range(C)), abs=1e-6)


def test_probabilities_and_logits_agree() -> None:
    p, labels = random_image(8)
    logits = p.log() + 3 * torch.randn(labels.shape)
    ours, theirs = Accumulator(C, exact=True), Accumulator(C, exact=True)
    ours.update(logits, labels, logits=True)
    theirs.update(logits.softmax(0), labels)
    np.testing.assert_array_equal(ours.confusion, theirs.confusion)
    for name in ("brier", "nll", "classwise_ece", "ece_batched"):
        assert getattr(ours, name)() == pytest.approx(getattr(theirs, name)(), abs=1e-6)
    np.testing.assert_allclose(ours.auprc().per_class, theirs.auprc().per_class, atol=1e-6)
    np.testing.assert_allclose(ours.exact_auprc().per_class, theirs.exact_auprc().per_class, atol=1e-6)


def test_mask_and_confidence_alone_give_the_scores_of_the_prediction() -> None:
    p, labels = random_image(12)
    confidence, mask = p.max(0)
    ours, whole = Accumulator(C), Accumulator(C)
    ours.update_mask(labels.numpy(), mask.numpy().astype(np.uint8), confidence.numpy())
    whole.update(p, labels)
    np.testing.assert_array_equal(ours.confusion, whole.confusion)
    assert ours.bins().ece() == whole.bins().ece()
    assert ours.ece_batched() == whole.ece_batched()
    for a, b in zip(ours.bins_by_prediction(), whole.bins_by_prediction(), strict=True):
        assert a.ece() == b.ece()
    undefined = (ours.brier(), ours.nll(), ours.auprc().mean, ours.classwise_ece())
    assert all(map(math.isnan, undefined))


def test_an_abstention_is_a_miss_of_no_class() -> None:
    scores = Accumulator(2)
    scores.update_mask([0, 0, 1], [0, IGNORE, 1], [0.5, 0.25, 0.5])
    np.testing.assert_array_equal(scores.confusion, [[1, 0, 1], [0, 1, 0]])
    assert scores.bins().ece() == pytest.approx((2 * 0.5 + 0.25) / 3)
    assert [row.pixels for row in scores.bins_by_prediction()] == [1, 1]


@pytest.mark.parametrize(
    ("top", "message"),
    [
        (([0], [0, 0], [0.5, 0.5]), "shape"),
        (([5], [0], [0.5]), "labels hold"),
        (([0], [5], [0.5]), "predictions hold"),
        (([0], [0], [1.5]), "confidence must"),
        (([0], [0], [math.nan]), "confidence must"),
    ],
)
def test_wrong_masks_are_refused(top: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Accumulator(C).update_mask(*top)


def test_scores_that_were_not_counted_are_refused() -> None:
    with pytest.raises(ValueError, match="exact=True"):
        Accumulator(C).exact_auprc()
    with pytest.raises(ValueError, match="not asked for"):
        Accumulator(C).bins(7)
    with pytest.raises(ValueError, match="thresholds"):
        Accumulator(C, thresholds=1)
