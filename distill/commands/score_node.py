"""Replay a labelled bag through the running node over DDS and score what comes out on the wire.

The node runs in a separate process: started here, in a ROS domain that no other uses, or with
``--attach`` one that runs already. In real time frames may be dropped, as on the vehicle; with
``--lock-step`` the next frame is sent when the last one is answered. What the parts do:
:mod:`distill.drives`.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from distill.common.files import write_json
from distill.drives.drive import survey
from distill.drives.node_process import counts
from distill.drives.output_topics import OutputTopics
from distill.drives.recording import answered_stamps
from distill.drives.recording_scores import score
from distill.drives.replay_report import Replayed, describe, document, replay_document
from kd_seg_ros.bags.progress import Progress
from kd_seg_ros.common.child_process import ProcessError
from kd_seg_ros.common.classes import CLASS_NAMES
from kd_seg_ros.common.command_line import (
    add_json_option,
    add_memory_option,
    add_threads_option,
    fail,
    print_json,
    run_command,
)
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.fast_dds import prepare_large_images
from kd_seg_ros.common.files import reason
from kd_seg_ros.common.option_types import positive, topic
from kd_seg_ros.common.ros_environment import isolate_this_process
from kd_seg_ros.common.share import default_model
from kd_seg_ros.inference.engine import Engine
from kd_seg_ros.inference.providers import PROVIDERS

LOGGER = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the executable ``score_node``; return its exit status."""
    return run_command("score_node", "", "distill.commands.score_node", argv)


def run(args: argparse.Namespace) -> int:
    """Replay and score; return 1 if a part of the replay fails, or a file of the bag cannot be read."""
    try:
        content, complete = _replay_and_score(args)
    except ProcessError as error:
        return fail(str(error), 1)
    failure = None
    if args.out:
        try:
            write_json(args.out, content)
        except UserError as error:  # a disk that is full by now: the scores are printed all the same
            failure = error
    if args.json:
        print_json(content)
    else:
        print(describe(content))
    if failure is not None:
        raise failure
    return 0 if complete else 1


def _replay_and_score(args: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    """Return the content of metrics.json, and whether all files of the bag could be read."""
    _check(args)
    if args.attach is None:
        args.model = args.model or default_model()
    class_names, name = _model(args)
    drive = survey(args.bag, args.topic, args.labels_topic, args.condition_topic, len(class_names))
    labelled = sum(frame.labelled for frame in drive.frames.values())
    LOGGER.info(f"{drive.bag}: {len(drive.frames)} frames on {drive.topic}, {labelled} of them labelled")
    if args.attach is None:
        isolate_this_process()
    prepared = prepare_large_images()
    if prepared:
        LOGGER.info(prepared)
    from distill.drives.replay import ReplaySettings, replay  # ROS, which reads the environment

    outputs = _outputs(args)
    model = args.model if args.attach is None else None
    settings = ReplaySettings(
        model,
        args.provider,
        args.rate,
        args.lock_step,
        args.timeout,
        args.threads,
        args.max_model_memory_mb,
    )
    with tempfile.TemporaryDirectory(prefix="score_node_") as temporary:
        recording = args.recording or Path(temporary) / "recording"
        progress = Progress("replaying", len(drive.frames))
        replayed = replay(drive, outputs, recording, settings, Path(temporary), progress.step)
        progress.close()
        LOGGER.info("scoring")
        answered = answered_stamps(recording, outputs, drive.frames)
        if not any(drive.frames[stamp].labelled for stamp in answered):
            raise ProcessError(f"the node answered none of the labelled frames: {_reasons(replayed)}")
        scores, consistency = score(recording, outputs, drive, answered, class_names)
    figures = replay_document(replayed, drive, answered)
    found = document(scores, drive, args.model, name or replayed.after["model"], figures)
    found["consistency"] = consistency.summary()
    return found, not drive.left_out


def _check(args: argparse.Namespace) -> None:
    """Refuse early what would fail late."""
    import rclpy  # noqa: F401 (whether it is there)

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
            raise UserError(f"{option} {path}: cannot be written: {reason(error)}") from error


def _model(args: argparse.Namespace) -> tuple[tuple[str, ...], str | None]:
    """Return the names of the classes and of the model, None where only the node knows it."""
    if args.model is None:
        return CLASS_NAMES, None
    card = Engine(args.model, "cpu").card  # the node alone is to have the GPU
    return card.class_names, card.name


def _outputs(args: argparse.Namespace) -> OutputTopics:
    """Return where to listen; a node of our own has a namespace that no other has."""
    return OutputTopics.of(f"score_node_{os.getpid()}" if args.attach is None else args.attach)


def _reasons(replayed: Replayed) -> str:
    seen = counts(replayed.after, replayed.before)
    return ", ".join(f"{count} {key.removeprefix('frames_')}" for key, count in seen.items())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``kd_seg score-node``."""
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
        help="ONNX file, as `kd_seg export` writes it, for the node that is started here (default: the demo "
        "student)",
    )
    add("--provider", choices=tuple(PROVIDERS), default="cuda", help="what the network runs on")
    add_threads_option(parser)
    add_memory_option(parser)
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
