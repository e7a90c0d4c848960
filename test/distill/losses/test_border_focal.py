"""Border-focal loss against a float64 NumPy loop over pixels."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

from distill.losses.border_focal import border_focal_loss
from distill.losses.border_focal_published import border_focal_published_loss

IGNORE = 255
Loss = Callable[..., torch.Tensor]


def batch(seed: int = 0, scale: float = 3.0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.normal(scale=scale, size=(2, 5, 4, 6)))
    labels = rng.choice([0, 1, 2, 3, 4, IGNORE], size=(2, 4, 6))
    weights = np.where(labels == IGNORE, 0, rng.choice([1, 2, 4, 6, 8], size=labels.shape))
    return logits, torch.from_numpy(labels), torch.from_numpy(weights).float()


def pixel_terms(
    logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor
) -> list[tuple[float, float, float]]:
    """(α, p_y, −log p_y) of every labelled pixel."""
    terms = []
    log_p = log_softmax(logits.double().numpy(), axis=1)
    for b, y, x in np.ndindex(*labels.shape):
        label = int(labels[b, y, x])
        if label != IGNORE:
            value = log_p[b, label, y, x]
            terms.append((float(weights[b, y, x]), math.exp(value), -value))
    return terms


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_equals_the_formula(gamma: float) -> None:
    logits, labels, weights = batch()
    terms = pixel_terms(logits, labels, weights)
    expected = sum(a * (1 - p) ** gamma * nll for a, p, nll in terms) / sum(a for a, _, _ in terms)
    assert border_focal_loss(logits, labels, weights, gamma).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_published_variant_equals_its_formula(gamma: float) -> None:
    logits, labels, weights = batch()
    terms = pixel_terms(logits, labels, weights)
    expected = sum(a * math.exp(gamma * (1 - p)) * nll for a, p, nll in terms) / len(terms)
    loss = border_focal_published_loss(logits, labels, weights, gamma)
    assert loss.item() == pytest.approx(expected, rel=1e-9)


def test_without_focal_factor_it_is_pytorch_cross_entropy() -> None:
    logits, labels, _ = batch()
    ones = torch.ones(labels.shape)
    expected = F.cross_entropy(logits, labels, ignore_index=IGNORE)
    torch.testing.assert_close(border_focal_loss(logits, labels, ones, gamma=0.0), expected)
    torch.testing.assert_close(border_focal_published_loss(logits, labels, ones, gamma=0.0), expected)


@pytest.mark.parametrize("published", [False, True])
def test_gradient_treats_the_focal_factor_as_a_constant(published: bool) -> None:
    """d/dz of −log p_y is p − onehot(y), here times α·factor/divisor in closed form."""
    logits, labels, weights = batch(1)
    logits.requires_grad_()
    loss = border_focal_published_loss if published else border_focal_loss
    loss(logits, labels, weights).backward()

    p = torch.softmax(logits.detach(), dim=1)
    valid = labels != IGNORE
    onehot = F.one_hot(labels.where(valid, 0), 5).movedim(-1, 1).double()
    error = 1 - (p * onehot).sum(1)
    factor = torch.exp(0.5 * error) / valid.sum() if published else error.sqrt() / weights.double().sum()
    expected = (weights * factor * valid)[:, None] * (p - onehot)
    torch.testing.assert_close(logits.grad, expected)


@pytest.mark.parametrize("loss", [border_focal_loss, border_focal_published_loss])
@pytest.mark.parametrize("logit", [1e4, -1e4, 6e4, 30.0])
def test_gradient_is_finite_at_certainty(loss: Loss, logit: float) -> None:
    logits = torch.zeros(1, 3, 2, 2)
    logits[:, 1] = logit
    logits.requires_grad_()
    value = loss(logits, torch.ones(1, 2, 2, dtype=torch.int64), torch.ones(1, 2, 2))
    value.backward()
    assert torch.isfinite(value)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    if logit > 0:
        assert value.item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("loss", [border_focal_loss, border_focal_published_loss])
def test_all_ignored_is_zero_and_stays_in_the_graph(loss: Loss) -> None:
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    value = loss(logits, torch.full((1, 2, 2), IGNORE), torch.zeros(1, 2, 2))
    value.backward()
    assert value.item() == 0
    assert logits.grad is not None
    assert torch.equal(logits.grad, torch.zeros_like(logits))


@pytest.mark.parametrize("loss", [border_focal_loss, border_focal_published_loss])
def test_ignored_pixels_count_nowhere_even_with_a_weight(loss: Loss) -> None:
    logits, labels, weights = batch(2)
    polluted = torch.where(labels == IGNORE, 8.0, weights)
    changed = logits.where((labels != IGNORE)[:, None], 50 * torch.randn_like(logits))
    assert loss(changed, labels, polluted).item() == loss(logits, labels, weights).item()


@given(seed=st.integers(0, 1000), shift=st.floats(-50, 50), scale=st.floats(0.1, 30))
def test_non_negative_and_invariant_to_a_shift_of_the_logits(seed: int, shift: float, scale: float) -> None:
    logits, labels, weights = batch(seed, scale)
    value = border_focal_loss(logits, labels, weights).item()
    assert value >= 0
    assert border_focal_loss(logits + shift, labels, weights).item() == pytest.approx(value, rel=1e-6)


def test_shapes_that_differ_are_named() -> None:
    logits, labels, weights = batch()
    with pytest.raises(ValueError, match=r"labels \(2, 4, 5\).*\(2, 5, 4, 6\)"):
        border_focal_loss(logits, labels[..., :5], weights)
    with pytest.raises(ValueError, match=r"weights \(4, 6\).*\(2, 5, 4, 6\)"):
        border_focal_published_loss(logits, labels, weights[0])
