"""Replay a labelled bag through the running node over DDS and score what comes out on the wire.

The node runs in a process of its own: started here, in a ROS domain that no other uses, or with
``--attach`` one that runs already. In real time frames may be dropped, as on the vehicle; with
``--lock-step`` the
next frame is sent when the last one is answered. What the parts do: :mod:`distill.drives`.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from distill.drives.drive import Drive, survey
from distill.drives.node_process import Watch, node_command, wait_until_ready
from distill.drives.output_topics import OutputTopics
from distill.drives.processes import Process, ReplayError, replay_environment
from distill.drives.real_time import player_command, replay_in_real_time
from distill.drives.recording import answered_stamps
from distill.drives.recording_scores import score
from distill.drives.replay_report import Replayed, describe, document, percentiles, replay_document
from kd_seg_ros.common.classes import CLASS_NAMES
from kd_seg_ros.common.command_line import add_json_option, fail, print_json, run_command
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.option_types import positive, topic
from kd_seg_ros.inference.providers import PROVIDERS
from kd_seg_ros.playback.timing import read_timing

if TYPE_CHECKING:
    from distill.drives.recorder import Recorder

LOGGER = logging.getLogger(__name__)
_SUBSCRIBED_S: Final = 10.0
_ISOLATING: Final = ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_LOCALHOST_ONLY")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the executable ``score_node``; return its exit status."""
    return run_command("score_node", "", "distill.commands.score_node", argv)


def run(args: argparse.Namespace) -> int:
    """Replay and score; return 1 if a part of the replay fails."""
    try:
        _run(args)
    except ReplayError as error:
        return fail(str(error), 1)
    return 0


def _run(args: argparse.Namespace) -> None:
    _check(args)
    class_names, name = _model(args)
    drive = survey(args.bag, args.topic, args.labels_topic, args.condition_topic, len(class_names))
    labelled = sum(frame.labelled for frame in drive.frames.values())
    LOGGER.info(f"{drive.bag}: {len(drive.frames)} frames on {drive.topic}, {labelled} of them labelled")
    if args.attach is None:
        for variable in _ISOLATING:  # whatever the user's robot is in
            os.environ.pop(variable, None)
        os.environ.update(replay_environment(os.environ))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="score_node_")))
        recording = args.recording or folder / "recording"
        outputs = _outputs(args)
        replayed, recorder = _replay(args, drive, outputs, recording, folder)
        LOGGER.info("scoring")
        answered = answered_stamps(recording, outputs, drive.frames)
        if not any(drive.frames[stamp].labelled for stamp in answered):
            raise ReplayError(f"the node answered none of the labelled frames: {_reasons(replayed)}")
        scores = score(recording, outputs, drive, answered, class_names)
    replay = replay_document(replayed, drive, answered, recorder)
    content = document(scores, drive, args.model, name or replayed.after["model"], replay)
    if args.out:
        from distill.common.files import write_json

        write_json(args.out, content)
    if args.json:
        print_json(content)
    else:
        print(describe(content))


def _replay(
    args: argparse.Namespace, drive: Drive, outputs: OutputTopics, recording: Path, folder: Path
) -> tuple[Replayed, Recorder]:
    """Replay the drive; the recording is complete afterwards."""
    from distill.drives.recorder import Recorder

    with ExitStack() as stack:
        recorder = stack.enter_context(Recorder(recording, outputs))
        watch: Watch = lambda: None  # noqa: E731
        ready: Callable[[], bool] = lambda: True  # noqa: E731
        if args.attach is None:
            remapping = [f"__ns:={outputs.namespace}"]
            command = node_command(args.model.resolve(), args.provider, drive.compressed, remapping)
            node = Process("node", [sys.executable, *command], folder / "node.log")
            stack.enter_context(node)
            watch, ready = node.must_run, lambda: "ready:" in node.output
        wait_until_ready(recorder, watch, ready, args.timeout)
        before = recorder.reports[-1]
        _check_type(recorder, before["topic"], drive)
        if args.lock_step:
            replayed = _in_lock_step(args, drive, recorder, watch)
        else:
            replayed = _in_real_time(args, drive, recorder, watch, folder)
    return replayed, recorder


def _in_lock_step(args: argparse.Namespace, drive: Drive, recorder: Recorder, watch: Watch) -> Replayed:
    from sensor_msgs.msg import CompressedImage, Image

    from distill.drives.lock_step import replay_in_lock_step
    from kd_seg_ros.bags.progress import Progress

    before = recorder.reports[-1]
    progress = Progress("replaying", len(drive.frames))
    kind = CompressedImage if drive.compressed else Image
    LOGGER.info(f"replaying in lock-step to {before['topic']}")
    steps = replay_in_lock_step(
        recorder, drive.images(), before["topic"], kind, args.timeout, watch, lambda _: progress.step()
    )
    progress.close()
    return Replayed("lock-step", None, before, recorder.reports[-1], steps.sent, steps.unanswered, None)


def _in_real_time(
    args: argparse.Namespace, drive: Drive, recorder: Recorder, watch: Watch, folder: Path
) -> Replayed:
    before, table = recorder.reports[-1], folder / "timing.csv"
    command = player_command(drive.bag, drive.topic, args.rate, before["topic"], table)
    LOGGER.info(f"replaying to {before['topic']} at {args.rate:g} times the recorded speed")
    with Process("player", [sys.executable, *command], folder / "player.log") as player:
        replay_in_real_time(recorder, player, watch, len(drive.frames))
    published = read_timing(table)
    # In both, frames stand in the bag's order.
    sent = {stamp: message.published_ns for stamp, message in zip(drive.frames, published, strict=False)}
    error = percentiles([message.late_ms for message in published])
    return Replayed("real time", args.rate, before, recorder.reports[-1], sent, {}, error)


def _check_type(recorder: Recorder, topic: str, drive: Drive) -> None:
    """Refuse a node that takes images of the other type."""

    def taken() -> set[str]:
        return {info.topic_type for info in recorder.node.get_subscriptions_info_by_topic(topic)}

    # The node subscribes to the camera once it has seen that somebody listens.
    recorder.spin_until(lambda: bool(taken()), _SUBSCRIBED_S)
    kinds = taken()
    own = "sensor_msgs/msg/CompressedImage" if drive.compressed else "sensor_msgs/msg/Image"
    if kinds and own not in kinds:
        flag = str(drive.compressed).lower()
        raise UserError(
            f"{drive.bag}: {drive.topic} is {own}, but the node takes {kinds.pop()} from {topic}: "
            f"start the node with compressed:={flag}"
        )


def _check(args: argparse.Namespace) -> None:
    """Refuse early what would fail late."""
    import rclpy  # noqa: F401 (whether it is there)

    import distill.evaluation.metrics_json  # noqa: F401 (the same)

    if args.attach is None and args.model is None:
        raise UserError("--model FILE is needed, or --attach NAMESPACE for a node that runs already")
    if args.lock_step and args.rate != 1.0:
        raise UserError(
            "--rate has no meaning with --lock-step: frames are sent as fast as they are answered"
        )
    if args.recording and args.recording.exists():
        raise UserError(f"--recording {args.recording} exists already: choose another")
    for option, path in (("--out", args.out), ("--recording", args.recording)):
        try:
            if path:
                path.parent.mkdir(parents=True, exist_ok=True)
                tempfile.TemporaryFile(dir=path.parent).close()
        except OSError as error:
            raise UserError(f"{option} {path}: cannot be written: {error.strerror}") from error


def _model(args: argparse.Namespace) -> tuple[tuple[str, ...], str | None]:
    """Return the names of the classes and of the model, None where only the node knows it."""
    if args.model is None:
        return CLASS_NAMES, None
    from kd_seg_ros.inference.engine import Engine

    card = Engine(args.model, "cpu").card  # the node alone is to have the GPU
    return card.class_names, card.name


def _outputs(args: argparse.Namespace) -> OutputTopics:
    """Return where to listen; a node of our own has a namespace that no other has."""
    return OutputTopics.of(f"score_node_{os.getpid()}" if args.attach is None else args.attach)


def _reasons(replayed: Replayed) -> str:
    from distill.drives.node_process import counts

    seen = counts(replayed.after, replayed.before)
    return ", ".join(f"{count} {key.removeprefix('frames_')}" for key, count in seen.items())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Replay a labelled bag through the running node and score what it publishes."
    parser.epilog = "Exit status: 0, 1 if the node or the player fails, 2 after a mistake in what was given."
    add = parser.add_argument
    add("bag", type=Path, metavar="BAG", help="rosbag2 to read: its folder, or one .mcap or .db3 file")
    add(
        "--labels-topic",
        type=topic,
        required=True,
        metavar="TOPIC",
        help="score against the labels on this topic: mono8 images of class ids, with their image's stamp",
    )
    add(
        "--topic",
        type=topic,
        metavar="TOPIC",
        help="camera topic to replay (default: the only one of the bag)",
    )
    add(
        "--condition-topic",
        type=topic,
        metavar="TOPIC",
        help="std_msgs/String topic with the weather (default: condition, in the camera's namespace)",
    )
    add(
        "--model",
        type=Path,
        metavar="FILE",
        help="ONNX file, as `kd_seg export` writes it, for the node that is started here",
    )
    add("--provider", choices=tuple(PROVIDERS), default="cuda", help="what the network runs on")
    add(
        "--attach",
        metavar="NAMESPACE",
        help="start no node, but use the one that runs in this namespace (/ for none)",
    )
    add("--rate", type=positive, default=1.0, metavar="X", help="speed of the replay, 1: as recorded")
    add(
        "--lock-step",
        action="store_true",
        help="send a frame only when the last one is answered, so that the node drops none",
    )
    add("--timeout", type=positive, default=60.0, metavar="S", help="wait at most S seconds for an answer")
    add(
        "--out",
        type=Path,
        metavar="FILE",
        help="JSON file to write the scores into, as `kd_seg evaluate` does",
    )
    add(
        "--recording",
        type=Path,
        metavar="BAG",
        help="keep what the node published in this new rosbag2 folder",
    )
    add_json_option(parser)
