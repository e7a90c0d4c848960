from __future__ import annotations

from collections import deque

from kd_seg_ros.playback.keyboard import Key, Keyboard
from kd_seg_ros.playback.player import Player
from kd_seg_ros.playback.read_ahead import Recorded
from kd_seg_ros.playback.timeline import Timeline


class World:
    """Time that passes only while somebody waits, and keys that are typed at given moments."""

    def __init__(self, typed: dict[float, Key] | None = None) -> None:
        self.now = 0
        self.typed = deque(sorted((typed or {}).items()))
        self.published: list[tuple[int, float]] = []
        self.said: list[str] = []
        self.limit = 100.0

    def publish(self, message: Recorded) -> None:
        self.published.append((message.time, round(self.now * 1e-9, 3)))

    def play(self, times: list[float], rate: float = 1.0, paused: bool = False) -> Player:
        world = self

        class Typist(Keyboard):
            def wait(self, seconds: float) -> Key | None:
                world.now += round(max(seconds, 1e-6) * 1e9)
                if world.typed and world.typed[0][0] <= world.now * 1e-9:
                    return world.typed.popleft()[1]
                return None

        timeline = Timeline(0, rate, paused, clock=lambda: self.now)
        messages = [Recorded("/a", round(t * 1e9), b"") for t in times]
        over = lambda: self.now * 1e-9 > self.limit  # noqa: E731
        player = Player(self.publish, Typist(), None, over, self.said.append)
        self.count = player.play(messages, timeline)
        return player

    @property
    def moments(self) -> list[float]:
        return [moment for _, moment in self.published]


def test_each_message_at_its_time_and_rate() -> None:
    world = World()
    player = world.play([1.0, 1.5, 3.0], rate=2.0)
    assert world.moments == [0.5, 0.75, 1.5]
    assert [round(m.late_ms) for m in player.timing.published] == [0, 0, 0]
    assert world.count == 3


def test_paused_until_the_key_and_then_as_if_nothing_had_been() -> None:
    world = World({0.5: Key.PAUSE, 2.0: Key.PAUSE})
    player = world.play([0.25, 1.0, 2.0])
    assert world.moments[0] == 0.25
    first, second = world.moments[1:]
    assert abs(first - 2.5) < 0.11  # 1.5 s later, but for how often keys are looked at
    assert abs(second - first - 1.0) < 0.001
    assert len(player.timing.published) == 3
    assert world.said == ["paused", "resumed"]


def test_steps_while_paused_are_not_timed() -> None:
    world = World({1.0: Key.NEXT, 2.0: Key.NEXT, 4.0: Key.PAUSE})
    player = world.play([5.0, 10.0, 11.0], paused=True)
    assert [round(moment) for moment in world.moments] == [1, 2, 5]
    assert [m.bag_time_ns for m in player.timing.published] == [11 * 10**9]


def test_next_has_no_meaning_while_it_plays() -> None:
    world = World({0.2: Key.NEXT})
    world.play([1.0])
    assert world.moments == [1.0]


def test_the_arrows_change_the_rate() -> None:
    world = World({0.01: Key.FASTER, 0.02: Key.SLOWER})
    world.play([1.0])
    assert world.said == ["rate 1.1", "rate 0.99"]


def test_it_ends_when_told_to() -> None:
    world = World()
    world.limit = 1.5
    world.play([1.0, 2.0, 3.0])
    assert world.moments == [1.0]
    assert world.count == 1
