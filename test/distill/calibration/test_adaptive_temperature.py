from __future__ import annotations

import numpy as np
import pytest
import torch
from drawn_labels import calibrated_pixels
from torch.nn.functional import cross_entropy

from distill.calibration import adaptive_temperature
from distill.calibration.adaptive_temperature import find_adaptive_temperatures, nll
from distill.calibration.class_temperature import find_class_temperatures
from distill.calibration.rare import FEWEST
from distill.calibration.temperature import find_temperature
from distill.models.logit_calibration import LogitCalibration

TRUE = LogitCalibration("adaptive_temperature", temperatures=(1.5, 2.0, 1.2, 1.8), exponent=-0.4)


def spoilt_pixels(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits that are right after the calibration TRUE, and labels drawn from what they then say."""
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(count, 4, generator=generator, dtype=torch.float64)
    probabilities = TRUE.apply(logits.T).T.softmax(1)
    return logits, torch.multinomial(probabilities, 1, generator=generator)[:, 0]


def test_recovers_temperatures_and_exponent_that_made_the_labels() -> None:
    logits, labels = spoilt_pixels(100_000)
    found = find_adaptive_temperatures(logits, labels, 1.0)
    assert found.temperatures == pytest.approx(TRUE.temperatures, rel=0.05)
    assert found.exponent == pytest.approx(TRUE.exponent, abs=0.05)
    calibrated = found.apply(logits.T).T
    assert (calibrated.argmax(1) == logits.argmax(1)).all()
    truth = TRUE.apply(logits.T).T
    assert cross_entropy(calibrated, labels) <= cross_entropy(truth, labels)
    of_classes = find_class_temperatures(logits, labels, 1.0).apply(logits.T).T
    assert cross_entropy(calibrated, labels) < cross_entropy(of_classes, labels) - 1e-4


def test_nll_and_gradient_are_those_of_automatic_differentiation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the formula in probabilities, which is not how either is computed."""
    monkeypatch.setattr(adaptive_temperature, "PIXELS_AT_ONCE", 64)
    logits, labels = calibrated_pixels(200, 5, seed=3)
    logits = logits.float().double()
    point = torch.tensor([-0.4, 0.3, 0.0, 0.8, -1.0, 0.7], dtype=torch.float64, requires_grad=True)
    confidence, predicted = logits.softmax(1).max(1)
    temperature = torch.exp(-point[:-1])[predicted] * confidence ** point[-1]
    expected = cross_entropy(logits / temperature[:, None], labels)
    expected.backward()
    assert point.grad is not None
    value, gradient = nll(point.detach().numpy(), logits.float(), labels)
    assert value == pytest.approx(float(expected.detach()), rel=1e-12)
    np.testing.assert_allclose(gradient, point.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_rarely_predicted_classes_get_what_is_best_for_all_pixels() -> None:
    logits, labels = spoilt_pixels(12_000)
    few = (logits.argmax(1) != 2) | (torch.cumsum(logits.argmax(1) == 2, 0) < FEWEST)
    logits, labels = logits[few], labels[few]
    temperature = find_temperature(logits, labels)
    found = find_adaptive_temperatures(logits, labels, temperature)
    assert len(set(found.temperatures)) == 4
    plain = cross_entropy(logits / temperature, labels)
    assert cross_entropy(found.apply(logits.T).T, labels) < plain
    others = [found.temperatures[train_id] for train_id in (0, 1, 3)]
    assert others == pytest.approx([TRUE.temperatures[train_id] for train_id in (0, 1, 3)], rel=0.15)
    assert min(others) < found.temperatures[2] < max(others)


def test_with_few_pixels_of_every_class_all_have_the_same() -> None:
    logits, labels = spoilt_pixels(FEWEST - 1)
    temperature = find_temperature(logits, labels)
    found = find_adaptive_temperatures(logits, labels, temperature)
    assert len(set(found.temperatures)) == 1
    plain = cross_entropy(logits / temperature, labels)
    assert cross_entropy(found.apply(logits.T).T, labels) < plain
