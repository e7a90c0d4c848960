"""Replay a labelled bag through the running node over DDS and score what comes out on the wire.

The node runs in a process of its own: started here, in a ROS domain that no other uses, or with
``--attach`` one that runs already. In real time frames may be dropped, as on the vehicle; with ``--wait`` the
next frame is sent when the last one is answered. What the parts do: :mod:`distill.drives`.
"""

from __future__ import annotations

import argparse
import os
import sys
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
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.ros_environment import isolate_this_process
from kd_seg_ros.playback.options import positive


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, 2 for a user's mistake or 1 if a part of the replay fails."""
    try:
        _run(_parser().parse_args(argv))
    except UserError as error:
        return _fail(str(error), 2)
    except ProcessError as error:
        return _fail(str(error), 1)
    except KeyboardInterrupt:
        return 130
    return 0


def _run(args: argparse.Namespace) -> None:
    _check(args)
    class_names, name = _model(args)
    drive = survey(args.bag, args.topic, args.labels, args.condition, len(class_names))
    labelled = sum(frame.labelled for frame in drive.frames.values())
    _say(f"{drive.bag}: {len(drive.frames)} frames on {drive.topic}, {labelled} of them labelled")
    if args.attach is None:
        isolate_this_process()
    from distill.drives.replay import ReplaySettings, replay

    outputs = _outputs(args)
    model = None if args.attach else args.model
    settings = ReplaySettings(model, args.provider, args.rate, args.wait, args.timeout)
    with tempfile.TemporaryDirectory(prefix="score_node_") as temporary:
        recording = args.recording or Path(temporary) / "recording"
        progress = Progress("replaying", len(drive.frames))
        replayed = replay(drive, outputs, recording, settings, Path(temporary), progress.step)
        progress.close()
        _say("scoring")
        answered = answered_stamps(recording, outputs, drive.frames)
        if not any(drive.frames[stamp].labelled for stamp in answered):
            raise ProcessError(f"the node answered none of the labelled frames: {_reasons(replayed)}")
        scores = score(recording, outputs, drive, answered, class_names)
    replay_figures = replay_document(replayed, drive, answered)
    content = document(scores, drive, args.model, name or replayed.after["model"], replay_figures)
    print(describe(content))
    if args.out:
        write_json(args.out, content)


def _check(args: argparse.Namespace) -> None:
    """Refuse early what would fail late."""
    try:
        import rclpy  # noqa: F401
    except ImportError as error:
        raise UserError(f"no ROS 2 ({error}): source an install, or pip install 'kd_seg_ros[ros]'") from error
    if args.attach is None and args.model is None:
        raise UserError("--model FILE is needed, or --attach NAMESPACE for a node that runs already")
    if args.wait and args.rate != 1.0:
        raise UserError("--rate has no meaning with --wait: frames are sent as fast as they are answered")
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
    seen = counts(replayed.after, replayed.before)
    return ", ".join(f"{count} {key.removeprefix('frames_')}" for key, count in seen.items())


def _say(text: str) -> None:
    print(f"==> {text}", flush=True)


def _fail(message: str, status: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="score_node",
        description="Replay a labelled bag through the running node over DDS and score what it publishes.",
    )
    add: Any = parser.add_argument
    add("--bag", type=Path, required=True, help="a rosbag2 folder, or one .mcap or .db3 file")
    add("--labels", required=True, metavar="TOPIC", help="mono8 images of class ids, stamped as their images")
    add("--topic", help="image topic of the bag (default: the only one beside the labels)")
    add(
        "--condition",
        metavar="TOPIC",
        help="text topic with the weather (default: condition beside the images)",
    )
    add("--model", type=Path, help="ONNX file for the node to run, written by `distill export`")
    add("--provider", default="cuda", choices=("cuda", "tensorrt", "cpu"), help="default: %(default)s")
    add("--attach", metavar="NAMESPACE", help="use the node that runs in this namespace (/ for none)")
    add("--rate", type=positive, default=1.0, help="speed, 1 = as recorded (default)")
    add(
        "--wait",
        action="store_true",
        help="lock-step: send a frame when the last one is answered; none drops",
    )
    add(
        "--timeout", type=positive, default=60.0, metavar="S", help="wait so long for an answer (default: 60)"
    )
    add("--out", type=Path, metavar="JSON", help="write the scores, as `distill evaluate` does")
    add("--recording", type=Path, metavar="BAG", help="keep what the node published in this new rosbag2")
    return parser


if __name__ == "__main__":
    sys.exit(main())
