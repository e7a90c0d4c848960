"""Stamps and clocks that do not fit, and whose clock is to blame."""

from __future__ import annotations

import pytest

from kd_seg_ros.node.stamps import FEWEST, StampCheck

NOW = 1.8e9


def check(age: float, *, now: float = NOW, images: int = 30) -> StampCheck:
    """Images whose stamps are ``age`` seconds old on arrival, ten a second."""
    stamps = StampCheck()
    for number in range(images):
        stamps.note(now + number / 10 - age, now + number / 10)
    return stamps


@pytest.mark.parametrize("age", [0.0, 0.03, -0.03, 2.0, 59.0])
@pytest.mark.parametrize("simulated", [False, True])
def test_what_can_be_is_no_complaint(age: float, simulated: bool) -> None:
    assert check(age).ahead(simulated) == check(age).old(simulated) == ""


@pytest.mark.parametrize(
    ("age", "simulated", "text"),
    [
        (
            -3.2,
            False,
            "lie 3.20 s in the future of this machine's clock: the camera's clock is ahead, or this",
        ),
        (-37.0, False, "lie 37.00 s in the future of this machine's clock: as far as atomic time (PTP, GPS)"),
        (-7200.0, False, "lie 2.0 hours in the future of this machine's clock: the camera's clock is ahead"),
        (-3.2, True, "lie 3.20 s in the future of /clock: it is another recording's, or the camera is live"),
    ],
)
def test_stamps_in_the_future(age: float, simulated: bool, text: str) -> None:
    assert text in check(age).ahead(simulated)
    assert check(age).old(simulated) == ""


@pytest.mark.parametrize(
    ("age", "simulated", "text"),
    [
        (30 * 86400.0, False, "30.0 days old: a recording (use_sim_time:=true"),
        (NOW - 100.0, False, "the camera counts from its start, not from 1970"),
        (90.0, True, "90.00 s old: /clock is ahead of them"),
    ],
)
def test_stamps_that_are_too_old(age: float, simulated: bool, text: str) -> None:
    assert text in check(age).old(simulated)
    assert check(age).ahead(simulated) == ""


def test_a_few_images_or_a_loop_of_a_bag_say_nothing() -> None:
    assert check(-3.0, images=FEWEST - 1).ahead(False) == ""
    stamps = check(0.1)
    stamps.note(NOW + 100.0, NOW + 3.0)
    assert stamps.ahead(True) == "", "one image that is odd by itself"
    stamps.note(NOW, NOW + 3.1)
    for number in range(FEWEST - 2):
        stamps.note(NOW + number, NOW + 3.1 + number)
    assert stamps.ahead(True) == "", "time has jumped back: the ages begin again"
