"""Methods and scores against two public libraries, whose results on the same pixels are written down here.

fiducio 0.2.0 (PyTorch 2.14) and netcal 1.4.0, on :func:`spoilt_pixels` as float32 logits z and labels y::

    calibrator = fiducio.TemperatureScaling(input_type="logits", optimizer="lbfgs", max_iter=500).fit(z, y)
    p = calibrator.transform(z); fiducio.negative_log_likelihood(p, y); fiducio.brier_score(p, y)
    fiducio.expected_calibration_error(p, y, n_bins=15); calibrator.temperature
    netcal.metrics.ECE(15).measure(softmax(z), y)
    netcal.scaling.TemperatureScaling().fit(softmax(z), y)          # its weight is 1 / T

and the same with ``VectorScaling``. They are no dependency of the tests: netcal brings pyro and gpytorch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from distill.calibration.methods import fit_all
from distill.evaluation.evaluation import Evaluation
from distill.models.logit_calibration import NONE, LogitCalibration

NETCAL_TEMPERATURE = 1 / 0.35880634
NETCAL_ECE = {"none": 0.214436041439444, "temperature": 0.01943578916174739}
FIDUCIO_TEMPERATURE = 2.7865023612976074
FIDUCIO_WEIGHTS = (0.661846399307251, 0.3982762396335602, 0.5000197887420654, 0.33835598826408386)
FIDUCIO_BIASES = (0.05261259898543358, -0.38306745886802673, 0.5246389508247375, -0.19418421387672424)
FIDUCIO_SCORES = {
    "none": {"nll": 1.2561792052858936, "ece": 0.214436041439444, "brier": 0.5577569150294415},
    "temperature": {"nll": 0.8606957665807559, "ece": 0.019343103460967542, "brier": 0.4803680744960431},
    "vector": {"nll": 0.7746139500757409, "ece": 0.016242535013705497, "brier": 0.4301290820109751},
}


def spoilt_pixels() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Logits [8000, 4] and labels [8000], from NumPy's frozen generator."""
    rng = np.random.RandomState(0)
    ideal = 2 * rng.normal(size=(8000, 4))
    probabilities = np.exp(ideal) / np.exp(ideal).sum(1, keepdims=True)
    labels = (probabilities.cumsum(1) < rng.uniform(size=(8000, 1))).sum(1)
    return ideal * [1.5, 2.5, 2.0, 3.0] + [0.0, 1.0, -1.0, 0.5], labels


@pytest.fixture(scope="module")
def found() -> dict[str, LogitCalibration]:
    """Our calibrations, and none."""
    logits, labels = spoilt_pixels()
    return {"none": NONE, **fit_all(torch.from_numpy(logits), torch.from_numpy(labels))}


def scores(calibration: LogitCalibration) -> dict[str, Any]:
    """Score the pixels as an image of 80 × 100."""
    logits, labels = spoilt_pixels()
    image = calibration.apply(torch.from_numpy(logits.T.reshape(4, 80, 100)))
    evaluation = Evaluation(("a", "b", "c", "d"))
    evaluation.update("fog", "image", labels.reshape(80, 100).astype(np.uint8), image)
    full: dict[str, Any] = evaluation.summary()["full"]
    return full


def test_the_temperature_is_that_of_both_libraries(found: dict[str, LogitCalibration]) -> None:
    """Theirs stop a little before the minimum."""
    assert found["temperature"].temperature == pytest.approx(FIDUCIO_TEMPERATURE, rel=5e-4)
    assert found["temperature"].temperature == pytest.approx(NETCAL_TEMPERATURE, rel=5e-4)


def test_vector_scaling_is_fiducios(found: dict[str, LogitCalibration]) -> None:
    """A constant added to all biases changes nothing."""
    assert found["vector"].weights == pytest.approx(FIDUCIO_WEIGHTS, rel=2e-3)
    assert found["vector"].biases == pytest.approx(
        np.subtract(FIDUCIO_BIASES, np.mean(FIDUCIO_BIASES)), abs=2e-3
    )


@pytest.mark.parametrize("method", FIDUCIO_SCORES)
def test_scores_are_those_of_the_libraries(method: str, found: dict[str, LogitCalibration]) -> None:
    ours, theirs = scores(found[method]), FIDUCIO_SCORES[method]
    assert ours["nll"] == pytest.approx(theirs["nll"], rel=1e-6)
    assert ours["brier"] == pytest.approx(theirs["brier"], rel=1e-4)
    # Where parameters differ in the fourth digit, a few pixels lie in another bin.
    assert ours["ece"] == pytest.approx(theirs["ece"], abs=1e-8 if method == "none" else 2e-4)
    if method in NETCAL_ECE:
        assert ours["ece"] == pytest.approx(NETCAL_ECE[method], abs=1e-8 if method == "none" else 2e-4)


def test_the_adaptive_temperature_has_a_lower_nll_than_one_temperature_and_one_per_class(
    found: dict[str, LogitCalibration],
) -> None:
    adaptive = scores(found["adaptive_temperature"])["nll"]
    assert adaptive < scores(found["class_temperature"])["nll"] < FIDUCIO_SCORES["temperature"]["nll"]
