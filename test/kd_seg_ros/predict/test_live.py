"""The newest frame wins, a stream that stops is noticed, and nothing hangs at the end."""

from __future__ import annotations

from threading import Event
from typing import Any

import numpy as np
import pytest

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.picture import DECODE_DEFAULTS, DecodeOptions
from kd_seg_ros.predict import live
from kd_seg_ros.predict.live import LiveFrames, without_password


class Camera:
    """Stands in for OpenCV's capture: gives frames of rising brightness, one per permission."""

    def __init__(self, frames: int, permitted: Event, size: tuple[int, int] = (4, 6)) -> None:
        self.given = 0
        self.all_given = Event()
        self._frames, self._permitted, self._size = frames, permitted, size

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def get(self, _property: int) -> float:
        return 25.0

    def read(self) -> tuple[bool, Any]:
        if self.given == self._frames:
            self.all_given.set()
            self._permitted.wait(300)
            return False, None
        self.given += 1
        return True, np.full((*self._size, 3), (self.given, 0, 200), np.uint8)

    def release(self) -> None:
        """Nothing to release."""


def test_a_slow_consumer_gets_the_newest_frame_in_rgb() -> None:
    end = Event()
    camera = Camera(9, end)
    frames = LiveFrames(0, DECODE_DEFAULTS, camera)
    assert frames.hertz == 25
    assert camera.all_given.wait(300)
    iterator = iter(frames)
    _, newest = next(iterator)
    assert newest[0, 0].tolist() == [200, 0, 9]  # the ninth, and red first
    end.set()
    assert list(iterator) == []
    frames.close()


def test_a_stream_that_stops_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PATIENCE_S", 0.05)
    end = Event()
    frames = LiveFrames("rtsp://nowhere/1", DECODE_DEFAULTS, Camera(0, end))
    with pytest.raises(UserError, match="rtsp://nowhere/1: no frame has come for"):
        next(iter(frames))
    end.set()
    frames.close()


def test_a_stream_that_stops_after_a_while_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PATIENCE_S", 0.05)
    end = Event()
    camera = Camera(1, end)
    frames = LiveFrames(0, DECODE_DEFAULTS, camera)
    assert camera.all_given.wait(300)
    assert len(list(frames)) == 1
    assert frames.trouble == "camera 0: no frame has come for 0.05 s"
    end.set()
    frames.close()


def test_a_frame_above_the_limit_is_an_error() -> None:
    end = Event()
    frames = LiveFrames(3, DecodeOptions(max_megapixels=0.001), Camera(1, end, (40, 60)))
    with pytest.raises(UserError, match=r"camera 3: .*megapixel"):
        next(iter(frames))
    end.set()
    frames.close()


def test_a_camera_that_is_not_there_is_an_error() -> None:
    with pytest.raises(UserError, match="camera 97 cannot be opened"):
        LiveFrames(97, DECODE_DEFAULTS)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://me:secret@camera/stream", "rtsp://…@camera/stream"),
        ("rtsp://me:p@ss@camera/stream", "rtsp://…@camera/stream"),
        ("rtsp://camera/stream@2", "rtsp://camera/stream@2"),
        ("http://camera?user=a@b", "http://camera?user=a@b"),
    ],
)
def test_messages_show_no_password_of_a_stream(address: str, shown: str) -> None:
    assert without_password(address) == shown
