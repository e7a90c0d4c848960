"""The node's worker, with a network that can be held still."""

from __future__ import annotations

from threading import Event, Thread
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

rclpy = pytest.importorskip("rclpy")

from dds import Client, wait_until  # noqa: E402
from held_engine import picture, plain, red, reported, totals  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image  # noqa: E402

from kd_seg_ros.common.picture import DecodeOptions  # noqa: E402
from kd_seg_ros.common.topics import OVERLAY  # noqa: E402
from kd_seg_ros.node import outputs  # noqa: E402


def test_while_the_network_is_busy_only_the_newest_frame_is_kept(held_node: Any) -> None:
    published: list[int] = []
    held_node._outputs.publish = lambda header, _: published.append(header.stamp.sec)
    held_node._on_image(plain(0, 1))
    assert held_node._engine.running.wait(300)
    for second in (2, 3, 4):
        held_node._on_image(plain(0, second))  # returns, though the network is held
    held_node._engine.go_on.set()
    assert wait_until(lambda: totals(held_node).get("published") == 2)
    assert published == [1, 4]
    assert totals(held_node) == {"received": 4, "overwritten": 2, "published": 2}


def test_a_frame_counts_as_segmented_though_ros_ends_between_its_two_maps(held_node: Any) -> None:
    def publish(*_: object) -> None:
        rclpy.try_shutdown()  # as a signal does after the mask has gone out
        raise RuntimeError("the context is no longer valid")

    assert held_node.idleness()
    held_node._outputs.publish = publish
    held_node._engine.go_on.set()
    held_node._on_image(plain(0, 1))
    assert wait_until(lambda: not held_node._worker._thread.is_alive())
    assert "published" not in totals(held_node)
    assert not held_node.idleness()


def test_a_frame_that_fails_is_counted_and_the_node_lives_on(held_node: Any) -> None:
    held_node._engine.go_on.set()
    held_node._on_image(red(1))
    assert wait_until(lambda: totals(held_node).get("failed") == 1)
    assert reported(held_node) == (b"\x02", "the network failed on 1 frames")
    held_node._on_image(plain(0, 2))
    assert wait_until(lambda: totals(held_node).get("published") == 1)
    assert reported(held_node)[0] == b"\x00"
    assert held_node._engine.reopened == 0


def test_a_lost_device_is_opened_again(held_node: Any) -> None:
    held_node._engine.go_on.set()
    for second in range(1, 9):  # twice as many failures as attempts, but never without a success in between
        held_node._on_image(plain(255, second) if second % 2 else plain(0, second))
        assert wait_until(lambda: sum(totals(held_node).values()) == 2 * second)  # noqa: B023
    assert totals(held_node) == {"received": 8, "failed": 4, "published": 4}
    assert held_node._engine.reopened == 4
    assert wait_until(lambda: reported(held_node)[0] == b"\x00")


def test_a_device_that_stays_lost_ends_the_node(held_node: Any) -> None:
    reports: list[tuple[bytes, str]] = []
    held_node._diagnostics.publish = lambda report: reports.append((report.level, report.message))
    held_node._engine.go_on.set()
    for second in range(1, 5):
        assert rclpy.ok()
        held_node._on_image(plain(255, second))
        assert wait_until(lambda: totals(held_node).get("failed") == second)  # noqa: B023
    assert wait_until(lambda: not rclpy.ok())
    assert held_node._engine.reopened == 3
    assert held_node.failure == "device lost; given up after 3 attempts"
    assert reports == [(b"\x02", held_node.failure)], "the last thing that /diagnostics hears"


def test_pictures_for_people_are_made_for_listeners_only(
    held_node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def note(name: str) -> None:
        real = getattr(outputs, name)

        def call(*given: Any) -> Any:
            made.append(name)
            return real(*given)

        monkeypatch.setattr(outputs, name, call)

    note("blend")
    note("png_message")
    held_node._engine.go_on.set()
    held_node._on_image(plain(0, 1))
    assert wait_until(lambda: totals(held_node).get("published") == 1)
    client = Client("held")
    client.collect("segmentation/overlay")
    assert wait_until(lambda: held_node._outputs.heard(OVERLAY))
    assert not made
    held_node._on_image(plain(0, 2))
    assert wait_until(lambda: made == ["blend"])
    client.close()


def test_a_slow_picture_does_not_hold_up_the_masks(held_node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    blending, go_on = Event(), Event()

    blended: list[int] = []

    def blend(image: np.ndarray, *_: object) -> np.ndarray:
        blended.append(len(handed_over))
        blending.set()
        assert go_on.wait(300)
        return image

    monkeypatch.setattr(outputs, "blend", blend)
    handed_over: list[int] = []
    real = held_node._outputs.publish_on_demand

    def hand_over(header: Any, picture: Any) -> None:
        real(header, picture)
        handed_over.append(header.stamp.sec)

    monkeypatch.setattr(held_node._outputs, "publish_on_demand", hand_over)
    held_node._engine.go_on.set()
    client = Client("held")
    overlays = client.collect("segmentation/overlay")
    assert wait_until(lambda: held_node._outputs.heard(OVERLAY))
    held_node._on_image(plain(1, 1))
    assert blending.wait(300)
    for second in (2, 3, 4):
        held_node._on_image(plain(second, second))
        assert wait_until(lambda: handed_over[-1:] == [second])  # noqa: B023
    go_on.set()
    # The first may be replaced on its way: the topic keeps the newest.
    assert client.spin_until(lambda: [message.header.stamp.sec for message in overlays[-1:]] == [4])
    assert len(blended) == 2, "the newest picture wins, too"
    client.close()


def test_a_damaged_frame_is_used_and_counted_where_that_is_asked_for(held_node: Any) -> None:
    pytest.importorskip("simplejpeg")
    held_node._engine.go_on.set()
    worker = held_node._worker
    worker._compressed = True
    data = cv2.imencode(".jpg", picture(1))[1].tobytes()
    cut = CompressedImage(format="jpeg", data=data[: len(data) // 2])
    held_node._on_image(cut)
    assert wait_until(lambda: totals(held_node).get("rejected") == 1)
    worker._decoding = DecodeOptions(use_damaged=True)
    held_node._on_image(cut)
    assert wait_until(lambda: totals(held_node).get("published") == 1)
    assert totals(held_node) == {"received": 2, "rejected": 1, "damaged": 1, "published": 1}


def test_stopping_waits_for_the_frame_under_way_only(held_node: Any) -> None:
    held_node._on_image(plain(0, 1))
    assert held_node._engine.running.wait(300)
    held_node._on_image(plain(0, 2))
    stopper = Thread(target=held_node.deactivate)
    stopper.start()
    assert wait_until(lambda: held_node._worker._mailbox._closed)
    held_node._engine.go_on.set()
    stopper.join(30)
    assert not stopper.is_alive()
    assert totals(held_node) == {"received": 2, "published": 1, "overwritten": 1}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    encoding=st.sampled_from(
        ["rgb8", "bgr8", "mono8", "rgba8", "bayer_rggb8", "uyvy", "mono16", "32FC1", "", "x"]
    )
    | st.text(max_size=8),
    height=st.integers(0, 9) | st.just(2**32 - 1),
    width=st.integers(0, 9) | st.just(2**32 - 1),
    step=st.integers(0, 40) | st.just(2**32 - 1),
    data=st.binary(max_size=400),
)
def test_any_message_is_counted_once_and_the_node_lives_on(
    held_node: Any, encoding: str, height: int, width: int, step: int, data: bytes
) -> None:
    held_node._engine.go_on.set()
    held_node._engine.dynamic = True
    before = totals(held_node)
    held_node._on_image(Image(encoding=encoding, height=height, width=width, step=step, data=data))
    ends = ("published", "rejected", "failed")

    def ended() -> int:
        return sum(totals(held_node).get(end, 0) - before.get(end, 0) for end in ends)

    assert wait_until(lambda: ended() == 1)
    assert held_node._worker._thread.is_alive()
    assert totals(held_node).get("failed", 0) == before.get("failed", 0) or data[:3] == b"\xff" * 3
