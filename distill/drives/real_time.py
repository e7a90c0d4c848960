"""Replaying at the speed of the camera: frames may be dropped, as on the vehicle."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from distill.drives.node_process import Watch, wait_until_settled
from kd_seg_ros.common.child_process import ChildProcess

if TYPE_CHECKING:
    from distill.drives.recorder import Recorder

_PROGRESS_S: Final = 5.0

LOGGER = logging.getLogger(__name__)


def player_command(
    bag: Path, topic: str, rate: float, published_as: str | None = None, timing: Path | None = None
) -> list[str]:
    """Return the arguments to Python that play one topic of a bag as soon as somebody subscribes to it."""
    command = ["-m", "kd_seg_ros.playback.play_bag", str(bag), "--topics", topic]
    command += ["--rate", f"{rate:g}", "--wait", "30"]
    if published_as not in (None, topic):
        command += ["--remap", f"{topic}:={published_as}"]
    return command if timing is None else [*command, "--timing", str(timing)]


def replay_in_real_time(
    recorder: Recorder, player: ChildProcess, watch: Watch, frames: int, incomplete: bool = False
) -> None:
    """Record until the player has ended and the node is done with what it received.

    :param frames: how many the player sends, for the progress shown.
    :param incomplete: whether a file of the bag cannot be read, which the player ends with status 1 for.
    :raises kd_seg_ros.common.child_process.ProcessError: if the node or the player fails.
    """
    shown = time.monotonic()
    while player.running:
        recorder.spin(0.1)
        watch()
        if time.monotonic() > shown + _PROGRESS_S:
            shown = time.monotonic()
            LOGGER.info("%d masks of %d frames", recorder.counts[recorder.outputs.mask], frames)
    if not (incomplete and player.wait() == 1):
        player.must_succeed()
    wait_until_settled(recorder, watch)
