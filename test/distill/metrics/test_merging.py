"""Accumulators of parts against one of the whole, in any order; ranges of all scores."""

from __future__ import annotations

import math
from itertools import chain
from operator import itemgetter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.classification import multiclass_calibration_error

from distill.metrics import mean_iou
from distill.metrics.accumulator import Accumulator

C = 4


def image(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Probabilities [C, 3, 5] and labels, a fifth of them ignored; a few probabilities are 0 and 1."""
    generator = torch.Generator().manual_seed(seed)
    p = (10 * torch.randn(C, 3, 5, generator=generator)).softmax(0)
    labels = torch.randint(C + 1, (3, 5), generator=generator)
    return p, labels.masked_fill(labels == C, 255).to(torch.uint8)


def scores_of(seeds: list[int], **options: int | bool) -> Accumulator:
    result = Accumulator(C, **options)  # type: ignore[arg-type]
    for seed in seeds:
        result.update(*image(seed))
    return result


def values(scores: Accumulator) -> list[float]:
    rows = [*scores.bins_by_prediction(), *scores.bins_by_class()]
    return [
        mean_iou(scores.confusion),
        scores.bins().ece(),
        scores.classwise_ece(),
        *(row.ece() for row in rows),
        *scores.auprc().per_class,
        *scores.auprc("trapezoid").per_class,
        scores.brier() / 2,
    ]


def assert_same(a: Accumulator, b: Accumulator, but: tuple[str, ...] = ()) -> None:
    ours, theirs = a.state(), b.state()
    assert ours.keys() == theirs.keys()
    for name in ours.keys() - set(but):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-9, atol=1e-9, err_msg=name)


parts = st.lists(st.lists(st.integers(0, 50), max_size=3), min_size=3, max_size=3)


@settings(deadline=None, max_examples=30)
@given(parts=parts)
def test_merging_is_associative_and_equals_one_pass(parts: list[list[int]]) -> None:
    """Batches of one image, so that ``ece_batched`` does not depend on where parts end."""
    one_pass = scores_of([*chain(*parts)], batch_size=1)
    left = scores_of([], batch_size=1)
    first, second, third = [scores_of(part, batch_size=1) for part in parts]
    second_third = scores_of(parts[1], batch_size=1)
    second_third.merge(third)
    right = scores_of(parts[0], batch_size=1)
    right.merge(second_third)
    for part in (first, second, third):
        left.merge(part)
    assert_same(left, one_pass)
    assert_same(right, one_pass)
    assert left.ece_batched() == pytest.approx(one_pass.ece_batched(), nan_ok=True)


@settings(deadline=None, max_examples=20)
@given(parts=parts)
def test_states_of_processes_add_up(parts: list[list[int]]) -> None:
    states = [scores_of(part).state() for part in parts]
    total = {name: np.sum(list(map(itemgetter(name), states)), axis=0) for name in states[0]}
    assert {array.dtype.name for array in total.values()} <= {"int64", "float64"}
    summed = Accumulator(C)
    summed.add_state(total)
    assert_same(summed, scores_of([*chain(*parts)]), but=("batch_ece", "batches"))
    merged = scores_of(parts[0])
    for part in parts[1:]:
        merged.merge(scores_of(part))
    assert summed.ece_batched() == pytest.approx(merged.ece_batched(), nan_ok=True)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000))
def test_the_order_of_pixels_changes_nothing(seed: int) -> None:
    p, labels = image(seed)
    order = torch.randperm(15, generator=torch.Generator().manual_seed(seed))
    ours, theirs = scores_of([seed]), Accumulator(C)
    theirs.update(p.flatten(1)[:, order].view(C, 5, 3), labels.flatten()[order].view(5, 3))
    assert_same(ours, theirs)


@settings(deadline=None, max_examples=30)
@given(seeds=st.lists(st.integers(0, 1000), max_size=3))
def test_scores_lie_in_their_ranges(seeds: list[int]) -> None:
    scores = scores_of(seeds)
    for value in values(scores):
        assert math.isnan(value) or -1e-12 <= value <= 1 + 1e-12
    assert math.isnan(scores.nll()) or 0 <= scores.nll() < 15.95


def test_batched_ece_of_images_and_of_parts() -> None:
    """Seven images in batches of three; the second part begins a batch."""
    batches = [[0, 1, 2], [3, 4, 5], [6]]
    expected = []
    for batch in batches:
        p, labels = zip(*map(image, batch), strict=True)
        ece = multiclass_calibration_error(
            torch.stack(p), torch.stack(labels).long(), C, 15, ignore_index=255
        )
        expected.append(ece.item())
    scores = scores_of([*range(7)], batch_size=3)
    assert scores.ece_batched() == pytest.approx(np.mean(expected), abs=1e-6)
    merged = scores_of([0, 1, 2], batch_size=3)
    merged.merge(scores_of([3, 4, 5, 6], batch_size=3))
    assert merged.ece_batched() == pytest.approx(scores.ece_batched(), rel=1e-12)


def test_nothing_is_lost_over_many_images() -> None:
    """8 · 10⁸ pixels: the scores of one image repeated are its own."""
    once, many = scores_of([0]), Accumulator(C)
    repeated = 2**26
    many.add_state({name: array * repeated for name, array in once.state().items()})
    np.testing.assert_allclose(values(many), values(once), rtol=1e-12)
    many.update(*image(1))
    assert many.pixels == once.pixels * repeated + scores_of([1]).pixels


def test_exact_scores_merge_but_do_not_add_up() -> None:
    whole, part = scores_of([0, 1], exact=True), scores_of([0], exact=True)
    part.merge(scores_of([1], exact=True))
    np.testing.assert_allclose(part.exact_auprc().per_class, whole.exact_auprc().per_class, rtol=1e-12)
    with pytest.raises(ValueError, match="do not add up"):
        whole.state()
    with pytest.raises(ValueError, match="other options"):
        whole.add_state(scores_of([0]).state())


@pytest.mark.parametrize(
    "options", [{"thresholds": 21}, {"batch_size": 8}, {"exact": True}, {"ignore": 254}, {"bins": (10,)}]
)
def test_other_options_do_not_merge(options: dict) -> None:
    with pytest.raises(ValueError, match="same options"):
        Accumulator(C).merge(Accumulator(C, **options))
    with pytest.raises(ValueError, match="same options"):
        Accumulator(C).merge(Accumulator(C + 1))


def test_a_state_of_other_shapes_is_refused_and_a_state_is_a_copy() -> None:
    scores = scores_of([0])
    with pytest.raises(ValueError, match="other options"):
        scores.add_state(Accumulator(C + 1).state())
    before = scores.brier()
    scores.state()["brier"] += 1
    assert scores.brier() == before
