"""Which calibrations are kept: by hand."""

from __future__ import annotations

import pytest

from distill.calibration.kept import why_not
from distill.common.calibration_methods import ADAPTIVE_TEMPERATURE, CLASS_TEMPERATURE, VECTOR
from distill.models.logit_calibration import LogitCalibration

BEFORE = {"nll": 0.5, "ece": 0.02}
BETTER = {"nll": 0.4, "ece": 0.01}


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (BETTER, ""),
        (BEFORE, ""),
        ({"nll": 0.4, "ece": 0.021}, "makes the ECE worse: 2.00 → 2.10 %"),
        ({"nll": 0.6, "ece": 0.01}, "makes the NLL worse: 0.50 → 0.60 nats"),
        ({"nll": 0.500001, "ece": 0.01}, "makes the NLL worse: 0.500000 → 0.500001 nats"),
        ({"nll": None, "ece": 0.01}, ""),
    ],
)
def test_nothing_may_get_worse(after: dict[str, float | None], reason: str) -> None:
    assert why_not(LogitCalibration(temperature=1.5), BEFORE, after) == reason


@pytest.mark.parametrize("temperature", [0.05, 0.0502, 19.9, 20.0])
def test_a_temperature_at_the_end_of_its_range_is_not_kept(temperature: float) -> None:
    assert "end of its range, 0.05 to 20" in why_not(
        LogitCalibration(temperature=temperature), BEFORE, BETTER
    )
    of_classes = LogitCalibration(CLASS_TEMPERATURE, temperatures=(1.0, temperature))
    assert "end of its range" in why_not(of_classes, BEFORE, BETTER)
    adaptive = LogitCalibration(ADAPTIVE_TEMPERATURE, temperatures=(1.0, temperature), exponent=-0.5)
    assert "end of its range" in why_not(adaptive, BEFORE, BETTER)


def test_weights_have_no_range_but_must_not_lower_the_miou() -> None:
    vector = LogitCalibration(VECTOR, weights=(20.0,), biases=(20.0,))
    assert not why_not(vector, BEFORE | {"miou": 0.5}, BETTER | {"miou": 0.5})
    assert not why_not(vector, BEFORE | {"miou": 0.5}, BETTER | {"miou": 0.51})
    assert not why_not(vector, BEFORE | {"miou": None}, BETTER | {"miou": None})
    worse = why_not(vector, BEFORE | {"miou": 0.5}, BETTER | {"miou": 0.4999})
    assert worse == "makes the mIoU worse: 50.00 → 49.99 %"


def test_rounding_of_a_mask_that_stays_is_no_fault() -> None:
    plain = LogitCalibration(temperature=1.5)
    assert not why_not(plain, BEFORE | {"miou": 0.5}, BETTER | {"miou": 0.4999})
