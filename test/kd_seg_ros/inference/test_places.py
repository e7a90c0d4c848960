"""Threads in a queue. Nothing is timed: each test waits until the queue has the length that it is to have."""

from __future__ import annotations

import time
from threading import Event, Thread

from kd_seg_ros.inference.places import Places

PATIENCE = 300.0


class Visitor(Thread):
    """Enters, and stays until it is told to leave."""

    def __init__(self, places: Places, entered: list[int], number: int) -> None:
        super().__init__()
        self.places, self.entered, self.number = places, entered, number
        self.leave = Event()

    def run(self) -> None:
        with self.places.place():
            self.entered.append(self.number)
            assert self.leave.wait(PATIENCE)


def wait_for(places: Places, waiting: int, entered: list[int], inside: int) -> None:
    end = time.monotonic() + PATIENCE
    while len(places._waiting) != waiting or len(entered) != inside:
        assert time.monotonic() < end
        time.sleep(0.001)


def test_threads_enter_in_the_order_of_their_coming() -> None:
    places, entered = Places(2), list[int]()
    visitors = [Visitor(places, entered, number) for number in range(6)]
    for number, visitor in enumerate(visitors):
        visitor.start()
        wait_for(places, max(0, number - 1), entered, min(number + 1, 2))
    for number, visitor in enumerate(visitors):
        visitor.leave.set()
        visitor.join(PATIENCE)
        inside = min(number + 3, 6)
        wait_for(places, 6 - inside, entered, inside)
    assert entered == list(range(6))


def test_a_place_is_given_back_after_an_error() -> None:
    places = Places(1)
    for _ in range(2):
        try:
            with places.place():
                raise ValueError
        except ValueError:
            pass
    with places.place():
        pass
