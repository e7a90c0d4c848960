from __future__ import annotations

import math

from kd_seg_ros.playback.timeline import Timeline

START = 1_700_000_000_123_456_789
SECOND = 10**9


class Watch:
    """A clock that is set by hand, ns."""

    def __init__(self) -> None:
        self.now = 5 * SECOND

    def __call__(self) -> int:
        return self.now


def test_bag_time_runs_at_the_rate() -> None:
    watch = Watch()
    timeline = Timeline(START, rate=2.0, clock=watch)
    assert timeline.until(START + 3 * SECOND) == 1.5
    watch.now += SECOND
    assert timeline.now() == START + 2 * SECOND
    assert timeline.until(START + 3 * SECOND) == 0.5
    assert timeline.until(START) == -1.0


def test_a_pause_and_a_change_of_the_rate_move_nothing() -> None:
    watch = Watch()
    timeline = Timeline(START, clock=watch)
    watch.now += SECOND
    timeline.toggle()
    assert timeline.paused
    watch.now += 100 * SECOND
    assert timeline.now() == START + SECOND
    assert timeline.until(START) == math.inf
    timeline.toggle()
    assert timeline.until(START + 2 * SECOND) == 1.0
    watch.now += SECOND
    timeline.set_rate(0.5)
    assert timeline.now() == START + 2 * SECOND
    assert timeline.until(START + 3 * SECOND) == 2.0
    assert timeline.rate == 0.5


def test_a_jump_while_paused_stays_there() -> None:
    watch = Watch()
    timeline = Timeline(START, paused=True, clock=watch)
    timeline.jump(START + 7 * SECOND)
    watch.now += SECOND
    assert timeline.now() == START + 7 * SECOND
    timeline.toggle()
    watch.now += SECOND
    assert timeline.now() == START + 8 * SECOND
