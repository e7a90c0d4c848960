from __future__ import annotations

import numpy as np
import pytest
import torch
from drawn_labels import calibrated_pixels
from torch.nn.functional import cross_entropy

from distill.calibration import vector
from distill.calibration.rare import FEWEST
from distill.calibration.temperature import find_temperature
from distill.calibration.vector import find_vector_scaling, nll

WEIGHTS = torch.tensor([0.5, 1.0, 1.5, 2.0, 0.8], dtype=torch.float64)
BIASES = torch.tensor([1.0, -2.0, 0.5, 0.0, 0.5], dtype=torch.float64)


def test_recovers_the_weights_and_biases_that_spoilt_the_logits() -> None:
    ideal, labels = calibrated_pixels(100_000, 5)
    found = find_vector_scaling((ideal - BIASES) / WEIGHTS, labels, 1.0)
    assert found.weights == pytest.approx(WEIGHTS.tolist(), rel=0.03)
    assert found.biases == pytest.approx(BIASES.tolist(), abs=0.05)
    assert sum(found.biases) == pytest.approx(0, abs=1e-9)


def test_it_is_the_minimum_that_torch_finds_by_automatic_differentiation() -> None:
    ideal, labels = calibrated_pixels(20_000, 4, seed=1)
    logits = 1.4 * ideal + torch.tensor([0.3, 0.0, -1.0, 0.5])
    parameters = torch.tensor([[1.0] * 4, [0.0] * 4], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [parameters], max_iter=200, tolerance_grad=1e-9, line_search_fn="strong_wolfe"
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = cross_entropy(parameters[0] * logits + parameters[1], labels)
        loss.backward()
        return loss

    optimizer.step(closure)
    weights, biases = parameters.detach()
    found = find_vector_scaling(logits, labels, find_temperature(logits, labels))
    assert cross_entropy(found.apply(logits.T).T, labels) == pytest.approx(
        float(closure().detach()), rel=1e-6
    )
    assert found.weights == pytest.approx(weights.tolist(), abs=5e-3)
    assert found.biases == pytest.approx((biases - biases.mean()).tolist(), abs=5e-3)


def test_without_any_information_it_finds_the_frequency_of_the_classes() -> None:
    """Closed form: of logits that are all 0, the best probabilities are the classes' shares."""
    labels = torch.tensor([0] * 6000 + [1] * 3000 + [2] * 1000)
    found = find_vector_scaling(torch.zeros(10_000, 3), labels, 2.0)
    np.testing.assert_allclose(torch.tensor(found.biases).softmax(0), [0.6, 0.3, 0.1], atol=1e-4)
    assert found.weights == (0.5, 0.5, 0.5)


def test_gradient_is_that_of_automatic_differentiation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector, "PIXELS_AT_ONCE", 64)
    logits, labels = calibrated_pixels(200, 6)
    point = torch.randn(2, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    value, gradient = nll(logits.float(), labels, point.numpy())
    point.requires_grad_()
    expected = cross_entropy(point[0] * logits.float().double() + point[1], labels)
    expected.backward()
    assert value == pytest.approx(float(expected.detach()))
    assert point.grad is not None
    np.testing.assert_allclose(gradient, point.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_classes_with_few_labels_or_none_stay_where_temperature_scaling_put_them() -> None:
    logits, labels = calibrated_pixels(8000, 5)
    few = torch.cumsum(labels == 3, 0) < FEWEST
    kept = (labels != 4) & ((labels != 3) | few)
    temperature = find_temperature(logits[kept], labels[kept])
    found = find_vector_scaling(logits[kept], labels[kept], temperature)
    for train_id in (3, 4):
        assert (found.weights[train_id], found.biases[train_id]) == (1 / temperature, 0)
    assert all(bias != 0 for bias in found.biases[:3])
    of_temperature = cross_entropy(logits[kept] / temperature, labels[kept])
    assert cross_entropy(found.apply(logits[kept].T).T, labels[kept]) < of_temperature


def test_with_few_labels_of_every_class_it_is_temperature_scaling() -> None:
    logits, labels = calibrated_pixels(100, 3)
    found = find_vector_scaling(logits, labels, 2.0)
    assert (found.weights, found.biases) == ((0.5,) * 3, (0.0,) * 3)
