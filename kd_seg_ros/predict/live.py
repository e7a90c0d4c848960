"""Cameras and streams: a thread reads all the time, so that the newest frame is there when asked for."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from itertools import count
from threading import Condition, Thread
from typing import Any, Final

import cv2
import numpy as np

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.picture import DecodeError, DecodeOptions, RGBImage, check_size

PATIENCE_S: Final = 10.0
"""Seconds without a frame after which a stream counts as lost."""
DEFAULT_HERTZ: Final = 10.0
"""Rate of a video made from a stream that does not say its own."""


class LiveFrames:
    """Iterates over the newest frames of a camera or stream as (ns since the first one, RGB image)."""

    def __init__(self, source: int | str, decoding: DecodeOptions, capture: Any = None) -> None:
        """Open it.

        :param source: number of a camera, or a URL.
        :param decoding: with the largest size that a frame may have.
        :param capture: in place of OpenCV's, opened already.
        :raises UserError: if it cannot be opened.
        """
        self._name = f"camera {source}" if isinstance(source, int) else without_password(source)
        self._decoding = decoding
        self._capture = _open(source) if capture is None else capture
        if not self._capture.isOpened():
            raise UserError(f"{self._name} cannot be opened: is it there, and may this user read it?")
        own = self._capture.get(cv2.CAP_PROP_FPS)
        self.hertz = float(own) if 0 < own < 1000 else DEFAULT_HERTZ
        """Frames per second, as the source says."""
        self.trouble = ""
        """Why frames have stopped to come before the stream has ended."""
        self._changed = Condition()
        self._newest: tuple[int, Any] | None = None
        self._ended = False
        # A daemon: a driver that hangs must not keep the program from ending.
        self._thread = Thread(target=self._read, name="live frames", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[tuple[int, RGBImage]]:
        """Yield the newest frame that has not been given out yet, waiting for it.

        It ends if none comes for :data:`PATIENCE_S`; :attr:`trouble` says so then.

        :raises UserError: if not even a first one comes, or one is above the limit of size.
        """
        for number in count():
            with self._changed:
                there = self._changed.wait_for(lambda: self._newest is not None or self._ended, PATIENCE_S)
                taken, self._newest = self._newest, None
            if not there:
                self.trouble = f"{self._name}: no frame has come for {PATIENCE_S:g} s"
                if not number:
                    raise UserError(self.trouble)
                return
            if taken is None:
                return
            moment, bgr = taken
            try:
                check_size(bgr.shape[0], bgr.shape[1], self._decoding)
            except DecodeError as error:
                raise UserError(f"{self._name}: {error}") from error
            yield moment, np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)

    def close(self) -> None:
        """Stop reading; waits a moment for the frame under way."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._thread.join(1.0)
        if not self._thread.is_alive():
            self._capture.release()

    def _read(self) -> None:
        """Keep the newest frame; in the thread."""
        start = time.monotonic_ns()
        while not self._ended:
            found, bgr = self._capture.read()
            with self._changed:
                if found:
                    self._newest = time.monotonic_ns() - start, bgr
                else:
                    self._ended = True
                self._changed.notify_all()


def without_password(address: str) -> str:
    """Return a stream's address as messages may show it: without user name and password."""
    return re.sub(r"(?<=://)[^/?#]*@", "…@", address)


def _open(source: int | str) -> Any:
    """Open a camera or stream with OpenCV, with time limits where it knows any."""
    if isinstance(source, int):
        return cv2.VideoCapture(source)
    milliseconds = round(PATIENCE_S * 1e3)
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, milliseconds, cv2.CAP_PROP_READ_TIMEOUT_MSEC, milliseconds]
    return cv2.VideoCapture(source, cv2.CAP_FFMPEG, limits)
