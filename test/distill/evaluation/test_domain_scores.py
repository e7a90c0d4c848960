"""Medians and shares of the domain distances, by condition."""

from __future__ import annotations

import math

import numpy as np

from distill.evaluation.domain_scores import DomainScores

QUANTILES = {"50": 0.9, "95": 1.2, "99": 1.5, "99.9": 1.8}


def test_medians_and_shares_are_over_the_images_of_a_condition_and_over_all() -> None:
    scores = DomainScores({"quantiles": QUANTILES, "images": 100, "method": "m", "source": "s"})
    for condition, distance in [("fog", 1.0), ("night", 1.5), ("fog", 1.6), ("night", 4.0), ("night", 2.0)]:
        scores.update(condition, distance)
    found = scores.summary()
    assert found["limit"] == 1.5
    assert found["quantiles"] == QUANTILES
    assert list(found["scores"]) == ["full", "fog", "night"]
    assert found["scores"]["full"] == {"images": 5, "median": 1.6, "above_limit": 0.6}
    assert found["scores"]["fog"] == {"images": 2, "median": 1.3, "above_limit": 0.5}
    assert found["scores"]["night"] == {"images": 3, "median": 2.0, "above_limit": 2 / 3}
    np.testing.assert_array_equal(scores.distances(), [1.0, 1.5, 1.6, 4.0, 2.0])


def test_a_distance_that_is_not_a_number_is_beyond_every_limit() -> None:
    scores = DomainScores({"quantiles": QUANTILES})
    scores.update(None, math.nan)
    assert scores.distances().tolist() == [math.inf]
    assert scores.summary()["scores"] == {"full": {"images": 1, "median": None, "above_limit": 1.0}}


def test_without_images_nothing_is_said() -> None:
    found = DomainScores({"quantiles": QUANTILES}).summary()
    assert found["scores"] == {"full": {"images": 0, "median": None, "above_limit": None}}
