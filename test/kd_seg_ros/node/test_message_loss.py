"""Missing numbers between those that came."""

from __future__ import annotations

from kd_seg_ros.node.message_loss import LostMessageCounter

ONE, OTHER = b"1", b"2"


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
