"""Replaying a drive through a node over DDS, each in its own process, and recording what is published."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sensor_msgs.msg import CompressedImage, Image

from distill.drives.drive import Drive
from distill.drives.lock_step import replay_in_lock_step
from distill.drives.node_process import PATIENCE_S, Watch, wait_until_ready
from distill.drives.output_topics import OutputTopics
from distill.drives.real_time import player_command, replay_in_real_time
from distill.drives.recorder import Recorder
from distill.drives.replay_report import Replayed, percentiles
from kd_seg_ros.bags.unpacking import UNPACKED
from kd_seg_ros.common.child_process import ChildProcess
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.node_command import node_command
from kd_seg_ros.playback.timing import read_timing

_SUBSCRIBED_S: Final = 10.0
_REPORT_PERIOD_S: Final = 0.5

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReplaySettings:
    """How a drive is replayed, and by which node."""

    model: Path | None
    """Model file of the node that is started; None: a node that runs already is listened to."""
    provider: str = "cpu"
    """ONNX Runtime's provider for the node that is started: cuda, tensorrt or cpu."""
    rate: float = 1.0
    """Speed, 1 = as recorded; has no meaning in lock-step."""
    lock_step: bool = False
    """Send a frame only when the last one is answered, so that none is dropped."""
    timeout: float = PATIENCE_S
    """Seconds to wait for the node's first report and, in lock-step, for each answer."""
    threads: int = 0
    """Threads of the node that compute on the CPU; 0: one for each core."""
    memory_mb: int = 0
    """Memory that the node's network may take, 10⁶ bytes; 0: as the node's own parameter has it."""


def replay(
    drive: Drive,
    outputs: OutputTopics,
    recording: Path,
    settings: ReplaySettings,
    folder: Path,
    on_frame: Callable[[], None] = lambda: None,
) -> Replayed:
    """Replay a drive; the recording is complete when this returns.

    :param outputs: topics and namespace of the node, the one that is started or the one that runs already.
    :param recording: new bag for what the node publishes.
    :param folder: where ``node.log``, ``player.log`` and ``timing.csv`` go.
    :param on_frame: called after each frame of a lock-step replay.
    :raises kd_seg_ros.common.child_process.ProcessError: if the node or the player fails.
    :raises UserError: if the node takes images of another type, or refuses what it was given.
    """
    with ExitStack() as stack:
        recorder = stack.enter_context(Recorder(recording, outputs))
        commands: list[list[str]] = []
        node: ChildProcess | None = None
        watch, ready = _nothing_to_watch, _ready_already
        if settings.model is not None:
            commands.append(_node_command(drive, outputs, settings.model.resolve(), settings))
            started = ChildProcess("node", [sys.executable, *commands[0]], folder / "node.log")
            node = stack.enter_context(started)
            watch, ready = started.must_run, lambda: "ready:" in started.output
        wait_until_ready(recorder, watch, ready, settings.timeout)
        _check_image_type(recorder, drive)
        if settings.lock_step:
            replayed = _in_lock_step(drive, recorder, watch, settings, on_frame)
        else:
            replayed, command = _in_real_time(drive, recorder, watch, settings, folder)
            commands.append(command)
        if node is not None:
            node.interrupt()
            node.must_succeed()
    lines = [shlex.join(["python", *command]) for command in commands]
    return replayed.with_commands(lines)


def _nothing_to_watch() -> None:
    """Let a node that was not started here run or end as it likes."""


def _ready_already() -> bool:
    return True


def _node_command(drive: Drive, outputs: OutputTopics, model: Path, settings: ReplaySettings) -> list[str]:
    """Return the arguments to Python that start a node which publishes on ``outputs``."""
    parameters = {
        "model": model,
        "provider": settings.provider,
        "threads": settings.threads,
        "max_model_memory_mb": settings.memory_mb,
        "compressed": drive.compressed,
        "overlay": False,
        "wait_for_fresher_image": False,  # scores gain by more frames, not by fresher ones
        "diagnostics.period_s": _REPORT_PERIOD_S,
    }
    return node_command(parameters, [f"__ns:={outputs.namespace}"] if outputs.namespace else [])


def _in_lock_step(
    drive: Drive, recorder: Recorder, watch: Watch, settings: ReplaySettings, on_frame: Callable[[], None]
) -> Replayed:
    before, earlier = recorder.reports[-1], len(recorder.reports)
    kind = CompressedImage if drive.compressed else Image
    LOGGER.info("replaying in lock-step to %s", before["topic"])
    steps = replay_in_lock_step(
        recorder, drive.raw_images(), before["topic"], kind, settings.timeout, watch, on_frame
    )
    return Replayed(
        mode="lock-step",
        rate=None,
        before=before,
        after=recorder.reports[-1],
        sent=steps.sent,
        arrivals=recorder.arrivals,
        unanswered=steps.unanswered,
        timing_error=None,
        reports=recorder.reports[earlier:],
    )


def _in_real_time(
    drive: Drive, recorder: Recorder, watch: Watch, settings: ReplaySettings, folder: Path
) -> tuple[Replayed, list[str]]:
    """Return what happened, and the player's arguments to Python."""
    before, earlier = recorder.reports[-1], len(recorder.reports)
    table = folder / "timing.csv"
    command = player_command(drive.bag, drive.topic, settings.rate, before["topic"], table)
    LOGGER.info("replaying to %s at %.3g times the recorded speed", before["topic"], settings.rate)
    log, unpacked = folder / "player.log", UNPACKED.for_children()
    with ChildProcess("player", [sys.executable, *command], log, unpacked) as player:
        replay_in_real_time(recorder, player, watch, len(drive.frames), bool(drive.left_out))
    published = read_timing(table)
    # Frames stand in the bag's order both in the drive and in the table.
    sent = {stamp: message.published_ns for stamp, message in zip(drive.frames, published, strict=False)}
    replayed = Replayed(
        mode="real time",
        rate=settings.rate,
        before=before,
        after=recorder.reports[-1],
        sent=sent,
        arrivals=recorder.arrivals,
        unanswered={},
        timing_error=percentiles([message.late_ms for message in published]),
        reports=recorder.reports[earlier:],
    )
    return replayed, command


def _check_image_type(recorder: Recorder, drive: Drive) -> None:
    """Raise UserError for a node that takes images of the other type."""
    topic = recorder.reports[-1]["topic"]
    # The node subscribes to the camera once it has seen that somebody listens.
    recorder.spin_until(lambda: bool(_subscribed_types(recorder, topic)), _SUBSCRIBED_S)
    kinds = _subscribed_types(recorder, topic)
    own = "sensor_msgs/msg/CompressedImage" if drive.compressed else "sensor_msgs/msg/Image"
    if kinds and own not in kinds:
        flag = str(drive.compressed).lower()
        raise UserError(
            f"{drive.bag}: {drive.topic} is {own}, but the node takes {kinds.pop()} from {topic}: "
            f"start the node with compressed:={flag}"
        )


def _subscribed_types(recorder: Recorder, topic: str) -> set[str]:
    return {info.topic_type for info in recorder.node.get_subscriptions_info_by_topic(topic)}
