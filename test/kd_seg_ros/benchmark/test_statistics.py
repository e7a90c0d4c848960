from __future__ import annotations

import math

import numpy as np
import pytest

from kd_seg_ros.benchmark.statistics import growth, interleaved, spread


def test_percentiles_by_their_definition() -> None:
    """Of 101 values in any order, the 50th and 99th of 0…100 hundredths are the values themselves."""
    values = list(map(float, np.random.default_rng(0).permutation(101)))
    found = spread(values, 2.0)
    assert (found.p50, found.p99, found.largest, found.count) == (100.0, 198.0, 200.0, 101)


def test_percentiles_of_nothing() -> None:
    assert spread([]).count == 0
    assert math.isnan(spread([]).p99)


def test_growth_of_a_line_with_noise_that_cancels() -> None:
    """y = 5 + 0.25 x with +1, −1, −1, +1 on top, which is orthogonal to lines on equidistant points."""
    x = [1000.0 + 10 * number for number in range(4)]
    y = [5 + 0.25 * value + noise for value, noise in zip(x, (1, -1, -1, 1), strict=True)]
    assert growth(x, y) == pytest.approx(0.25 * 30)


def test_growth_by_the_normal_equations() -> None:
    rng = np.random.default_rng(1)
    x, y = np.sort(rng.uniform(0, 1e5, 50)), rng.normal(200, 3, 50)
    slope = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    assert growth(list(x), list(y)) == pytest.approx(slope * (x[-1] - x[0]))


def test_growth_where_nothing_moves() -> None:
    assert growth([], []) == growth([1.0], [2.0]) == growth([3.0, 3.0], [1.0, 2.0]) == 0.0


def test_runs_take_turns_after_a_warm_up() -> None:
    calls: list[str] = []
    runs = [lambda: calls.append("a"), lambda: calls.append("b")]
    times = interleaved(runs, budget=0, least=3, warm_up=1)
    assert "".join(calls) == "ab" + "ababab"
    assert [len(measured) for measured in times] == [3, 3]
    assert len(interleaved(runs, budget=1e9, most=4)[0]) == 4
