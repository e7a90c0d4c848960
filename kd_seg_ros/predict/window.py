"""A window that shows the newest result. Esc or q ends the run, the space bar pauses it."""

from __future__ import annotations

import os
import sys
from typing import Final

import cv2

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.picture import RGBImage

TITLE: Final = "kd_seg predict"
_END_KEYS: Final = (27, ord("q"))
_PAUSE_KEY: Final = ord(" ")
_WAIT_MS: Final = 50


def check_window() -> None:
    """Make sure that a window can be opened.

    Asked beforehand, since without a display some builds of OpenCV end the whole program.

    :raises UserError: without a display, or with an OpenCV that has no windows.
    """
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise UserError("--show needs a display, and there is none: use --video FILE, or --save overlay")
    found = [line for line in cv2.getBuildInformation().splitlines() if line.strip().startswith("GUI:")]
    if found and found[0].split(":", 1)[1].strip().upper() == "NONE":
        raise UserError(
            "--show needs an OpenCV with windows: pip install opencv-python in place of -headless"
        )


def show(picture: RGBImage) -> bool:
    """Show a picture; return whether the run continues.

    :raises UserError: if OpenCV cannot show it.
    """
    try:
        cv2.imshow(TITLE, picture[..., ::-1])
        key = cv2.waitKey(1) & 0xFF
        if key == _PAUSE_KEY:
            key = _wait_for_key()
    except cv2.error as error:
        raise UserError(f"--show: {error.err or error}") from error
    return key not in _END_KEYS


def close() -> None:
    """Close the window."""
    cv2.destroyAllWindows()


def _wait_for_key() -> int:
    """Wait until the run is resumed or ended; return the key."""
    while True:
        key = cv2.waitKey(_WAIT_MS) & 0xFF
        if key in (*_END_KEYS, _PAUSE_KEY):
            return key
