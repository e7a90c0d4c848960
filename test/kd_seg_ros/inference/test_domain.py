"""When images count as unlike those of calibration."""

from __future__ import annotations

import math

import pytest
import tiny_model

from kd_seg_ros.inference.domain import DomainMonitor, quantile_text

DOMAIN = {
    "quantiles": {"50": 1.0, "95": 1.2, "99": 1.5, "99.9": 2.0},
    "images": 9,
    "method": "",
    "source": "",
}
CARD = tiny_model.card(8, 12, domain=DOMAIN)


@pytest.mark.parametrize(
    ("distance", "text"),
    [
        (0.3, "at most the 50th percentile"),
        (1.5, "at most the 99th percentile"),
        (1.6, "at most the 99.9th percentile"),
        (2.1, "above the 99.9th percentile"),
        (math.inf, "above the 99.9th percentile"),
    ],
)
def test_where_a_distance_lies(distance: float, text: str) -> None:
    assert quantile_text(distance, CARD) == text
    assert quantile_text(distance, tiny_model.card(8, 12)) == ""


def test_unknown_is_what_is_so_for_the_whole_window_and_it_ends() -> None:
    now = 0.0
    watch = DomainMonitor(CARD, window=4, clock=lambda: now)
    assert watch.state() is None

    def after(seconds: int, distance: float) -> bool:
        nonlocal now
        for _ in range(seconds):
            now += 1
            watch.add(distance)
        state = watch.state()
        assert state is not None
        return state.unknown

    assert not after(4, 1.0)
    assert not after(1, 9.0)  # a single image
    assert after(4, 9.0)
    assert after(1, 1.0)  # a single one that looks known
    assert not after(4, 1.0)
    now += 100
    assert watch.state() is None
    assert not after(3, 9.0)  # after a pause it takes the window's length again
    assert after(3, 9.0)


def test_a_distance_that_is_not_finite_is_as_far_as_can_be() -> None:
    now = 0.0
    watch = DomainMonitor(CARD, window=1, clock=lambda: now)
    watch.add(math.nan)
    now = 1.0
    watch.add(math.nan)
    state = watch.state()
    assert state is not None
    assert (state.latest, state.unknown) == (math.inf, True)


def test_without_quantiles_there_is_nothing_to_compare_with() -> None:
    assert DomainMonitor.of_card(tiny_model.card(8, 12), 5) is None
