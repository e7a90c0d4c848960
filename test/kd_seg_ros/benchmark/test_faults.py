from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

rclpy = pytest.importorskip("rclpy")

from kd_seg_ros.benchmark.camera_process import image_message  # noqa: E402
from kd_seg_ros.benchmark.faults import JUMP_S, JumpingClock, bad_images  # noqa: E402
from kd_seg_ros.common.decode import decode_image  # noqa: E402
from kd_seg_ros.common.picture import DecodeError  # noqa: E402


def test_the_good_image_is_decoded_and_the_bad_ones_are_not() -> None:
    good = image_message((48, 64))
    bad = bad_images(good)
    assert decode_image(good).shape == (48, 64, 3)
    for image in bad:
        with pytest.raises(DecodeError):
            decode_image(image)


class Recorder:
    """Stands in for a node and its publisher."""

    def __init__(self) -> None:
        self.times: list[int] = []

    def create_publisher(self, *_: Any) -> Recorder:
        return self

    def publish(self, message: Any) -> None:
        self.times.append(message.clock.sec * 10**9 + message.clock.nanosec)


def test_the_clock_jumps_back_and_forth(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(5_000_000_000, 6_000_000_000, 1_000_000))
    monkeypatch.setattr("kd_seg_ros.benchmark.faults.time.monotonic_ns", lambda: next(now))
    recorder = Recorder()
    clock: Any = JumpingClock(recorder, every=3)  # type: ignore[arg-type]
    told = [clock.tick(number) for number in range(1, 10)]
    assert recorder.times == told
    steps = [1e-9 * (b - a) for a, b in pairwise(told)]
    assert steps == pytest.approx(
        [0.001, 0.001 - JUMP_S, *[0.001] * 2, 0.001 + JUMP_S, *[0.001] * 2, 0.001 - JUMP_S]
    )
