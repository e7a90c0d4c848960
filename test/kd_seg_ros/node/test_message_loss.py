"""Missing numbers between those that came."""

from __future__ import annotations

import pytest

from kd_seg_ros.node.message_loss import LostMessageCounter

ONE, OTHER = b"1", b"2"


class Clock:
    """A clock that stands unless it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def seen(gaps: LostMessageCounter, *numbers: int | None) -> int:
    for number in numbers:
        gaps.note(number)
    return gaps.missing


def test_what_is_missing_is_counted() -> None:
    gaps = LostMessageCounter()
    gaps.watch([ONE])
    assert seen(gaps, 17, 18, 19) == 0
    assert seen(gaps, 21, 25) == 1 + 3


def test_nothing_is_made_up() -> None:
    gaps = LostMessageCounter()
    assert seen(gaps, 1, 9) == 0, "nobody knows yet who sends"
    gaps.watch([ONE, OTHER])
    assert seen(gaps, 1, 500, 2, 501) == 0, "two publishers count for themselves"
    gaps.watch([ONE])
    assert seen(gaps, 700) == 0
    gaps.watch([OTHER])
    assert seen(gaps, 900, 901) == 0, "another publisher"
    assert seen(gaps, 1, 2) == 0, "it has begun again"
    gaps.restart()
    assert seen(gaps, 50, None, 51) == 0
    gaps.watch([OTHER])
    assert seen(gaps, 53) == 1, "the same one goes on"


@pytest.mark.parametrize("jump", [2**31, 2**32, 2**63, -(2**31), 1102])
def test_a_jump_that_no_camera_can_make_is_not_counted(jump: int) -> None:
    clock = Clock()
    gaps = LostMessageCounter(clock)
    gaps.watch([ONE])
    assert seen(gaps, 10, 13) == 2
    clock.now = 1.0
    assert seen(gaps, 13 + jump) == 2
    clock.now = 2.0
    assert seen(gaps, 13 + jump + 2) == 3, "counting resumes from there"


def test_what_a_camera_can_have_sent_meanwhile_is_counted() -> None:
    clock = Clock()
    gaps = LostMessageCounter(clock)
    gaps.watch([ONE])
    gaps.note(1)
    clock.now = 3600.0
    assert seen(gaps, 1 + 30 * 3600) == 30 * 3600 - 1


def test_impossible_reports_of_the_middleware_are_not_counted() -> None:
    clock = Clock()
    gaps = LostMessageCounter(clock)
    gaps.report(3)
    for wrong in (2**31 - 1, -(2**31)):
        gaps.report(wrong)
    clock.now = 10.0
    gaps.report(300)
    assert gaps.reported == 303
