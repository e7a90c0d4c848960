"""The time that is left of a run."""

from __future__ import annotations

import pytest

from distill.training.callbacks import time_left


@pytest.mark.parametrize(
    ("seconds", "done", "missing", "expected"),
    [(60, 0.5, 2.5, "0:05:00"), (3600, 1, 30, "1 day, 6:00:00"), (60, 0, 3, ""), (10, 2, 0, "0:00:00")],
)
def test_it_is_the_time_so_far_per_epoch(seconds: float, done: float, missing: float, expected: str) -> None:
    assert time_left(seconds, done, missing) == expected
