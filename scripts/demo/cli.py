"""Replay camera frames through the segmentation node, record what it publishes, score it and show it.

The node and the player run in separate processes and talk over DDS, as on a vehicle.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from bags import excerpt, remove_bag, write_image_bag, write_video_bag
from masks import MaskFolder
from replay_rate import milliseconds_per_frame, sustainable_rate
from report import choose_frames, mask_picture, panels, write_report
from scoring import Tally
from second import SecondModel
from video import video_pictures, write_video

from distill.common.files import write_json
from distill.common.formats import error_percent, percent
from distill.drives.drive import Drive, survey
from distill.drives.output_topics import OutputTopics
from distill.drives.recording import answered_frames, answered_stamps
from distill.evaluation.metrics_json import FULL, metrics_document
from kd_seg_ros.common.child_process import ProcessError
from kd_seg_ros.common.classes import CLASS_NAMES
from kd_seg_ros.common.command_line import Parser, end_cleanly, fail
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.files import reason, sha256
from kd_seg_ros.common.logs import terminal_logging
from kd_seg_ros.common.option_types import count, positive, topic
from kd_seg_ros.common.ros_environment import isolated_environment
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.engine import Engine
from kd_seg_ros.inference.providers import PROVIDERS

LOGGER = logging.getLogger("kd_seg_ros.demo")
_PROG: Final = "scripts/demo"
_NODE: Final = OutputTopics.of("")  # a node without a namespace
_VIDEO_FRAMES: Final = 600  # of a longer drive every second, third … frame is shown


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, 2 for a user's mistake or 1 if a part of the replay fails."""
    return end_cleanly(_PROG, partial(_main, sys.argv[1:] if argv is None else argv))


def _main(argv: Sequence[str]) -> int:
    parser = Parser(
        _PROG, "Replay camera frames through the segmentation node; record, score and show the result."
    )
    add_arguments(parser)
    args = parser.read(argv)
    import rclpy  # noqa: F401 (whether it is there, before any work is done)

    with terminal_logging(args.quiet):
        try:
            _run(args, shlex.join(["python", "scripts/demo", *argv]))
        except ProcessError as error:
            return fail(str(error), 1)
    return 0


def _run(args: argparse.Namespace, command: str) -> None:
    from distill.drives.replay import ReplaySettings, replay
    from distill.drives.replay_report import replay_document

    engine = Engine(args.model, args.provider)
    card = engine.card
    _check_writable(args.out)
    made_by = _read_commands(args.commands)
    # Opened now, so that a mistake is told before the replay, and kept: it is run only after the node.
    second = SecondModel(args.next_to, args.provider, card.class_names) if args.next_to else None
    drive = _drive(args, card)
    labels = "labelled" if drive.labelled else "without labels"
    LOGGER.info(f"{drive.bag}: {len(drive.frames)} frames on {drive.topic}, {labels}")
    rate = args.rate or _measured_rate(drive, engine)
    del engine  # from here on its memory is the node's

    recording = args.out / "recording"
    remove_bag(recording, args.bag)
    os.environ.update(isolated_environment(os.environ))
    replayed = replay(drive, _NODE, recording, ReplaySettings(args.model, args.provider, rate), args.out)

    LOGGER.info("scoring")
    stamps = answered_stamps(recording, _NODE, drive.frames)
    if not stamps:
        raise ProcessError(f"the node answered none of the frames; {args.out / 'node.log'} says why")
    raw = None if card.accuracy_correction else card.reliability.get(FULL)
    tally = Tally(card.class_names, raw)
    masks = MaskFolder(args.out / "masks")
    chosen, rows = choose_frames(drive, stamps), []
    for answer in answered_frames(recording, _NODE, drive, stamps, images=True):
        tally.add(answer)
        masks.write(answer)
        other = second.add(answer) if second else None
        if answer.frame.number in chosen:
            rows.append(panels(answer, card.palette))
            if second and other:
                rows[-1]["pictures"][f"mask by {second.file.name}"] = mask_picture(other.mask, card.palette)
    metrics = _metrics(args, card, drive, tally) | {"replay": replay_document(replayed, drive, stamps)}
    if second:
        metrics["next_to"] = second.document()
    write_json(args.out / "metrics.json", metrics)

    LOGGER.info("making the video and the report")
    shown = sorted(stamps)[:: math.ceil(len(stamps) / _VIDEO_FRAMES)]
    frames = answered_frames(recording, _NODE, drive, set(shown), images=True)
    pictures = video_pictures(frames, card)
    video = write_video(pictures, args.out, min(max(drive.hertz or 1.0, 1.0), 30.0))
    report = args.out / "report.html"
    commands = [*(made_by or [command]), *replayed.commands]
    write_report(report, card, args.model, metrics, rows, video, commands)
    _summarise(metrics)
    print(f"report: {report}")
    print(f"    video: {video}, masks: {masks.folder}, topics: {recording}")
    print(f"    figures: {args.out / 'metrics.json'}")


def _drive(args: argparse.Namespace, card: ModelCard) -> Drive:
    """Return the drive to replay, in a new bag if it is made of images or of a video, or cut short.

    Labels are those of Cityscapes' classes; for a model of other classes they say nothing.
    """
    own = args.out / "input"
    if args.images or args.video:
        remove_bag(own, None)
        if args.images:
            write_image_bag(args.images, own, args.limit)
        else:
            write_video_bag(args.video, own, args.limit)
        return survey(own, args.topic, args.labels_topic, num_classes=len(CLASS_NAMES))
    fits = card.class_names == CLASS_NAMES
    drive = survey(args.bag, args.topic, args.labels_topic, num_classes=len(CLASS_NAMES) if fits else None)
    if drive.labels_topic and not fits:
        LOGGER.info("not scored: the classes of the model are not those of the labels")
        drive = drive.without_labels()
    if args.limit is None or args.limit >= len(drive.frames):
        return drive
    remove_bag(own, args.bag)
    return excerpt(drive, args.limit, own)


def _measured_rate(drive: Drive, engine: Engine) -> float:
    """Measure how fast the drive may be replayed, and say so if that is slower than recorded."""
    milliseconds = milliseconds_per_frame(drive, engine)
    rate = sustainable_rate(milliseconds, drive.hertz)
    LOGGER.info(f"the network takes {milliseconds:.0f} ms per frame")
    if rate < 1.0:
        LOGGER.info(f"too long for {drive.hertz:.3g} frames per second: the drive is replayed more slowly")
    return rate


def _metrics(args: argparse.Namespace, card: ModelCard, drive: Drive, tally: Tally) -> dict[str, Any]:
    model = {
        "file": args.model.name,
        "sha256": sha256(args.model),
        "name": card.name,
        "temperature": card.temperature,
    }
    data = {"bag": str(drive.bag), "topic": drive.topic, "labels_topic": drive.labels_topic}
    scores = tally.scores
    document = metrics_document(scores.summary(), scores.class_names, model, data)
    return document | {"observed": tally.observed()}


def _check_writable(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        raise UserError(f"--out {out}: cannot be written: {reason(error)}") from error


def _read_commands(file: Path | None) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines() if file else []
    except OSError as error:
        raise UserError(f"--commands {file}: cannot be read: {reason(error)}") from error


def _summarise(metrics: dict[str, Any]) -> None:
    replayed = metrics["replay"]
    for key, seen in metrics["observed"].items():
        scores = metrics["scores"].get(key, {})
        score = ""
        if scores.get("pixels"):
            score = f"mIoU {percent(scores['miou'])} %, ECE {error_percent(scores['ece'])} %, "
        confidence = percent(seen["mean_confidence"])
        print(f"    {key:8} {seen['frames']:5} frames, {score}mean confidence {confidence} %")
    dropped = replayed["frames_sent"] - replayed["frames_recorded"]
    print(f"    {replayed['frames_sent']} frames sent, {dropped} of them not segmented")
    lost = replayed["frames_published"] - replayed["frames_recorded"]
    if lost > 0:
        print(f"    {lost} masks were published but not recorded: the machine is overloaded")
    distance = replayed["domain_distance"]
    if distance:
        limit = f"{distance['limit']:.2f}"
        print(
            f"    domain distance {distance['typical']:.2f}, of 99 % of calibration's images at most {limit}"
        )
    latency = replayed["latency"].get("latency_ms")
    if latency:
        print(f"    latency {latency['p50']:.1f} ms (p50), {latency['p99']:.1f} ms (p99)")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``scripts/demo``."""
    add = parser.add_argument
    add("--model", type=Path, required=True, metavar="FILE", help="ONNX file, as `kd_seg export` writes it")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--bag",
        type=Path,
        metavar="BAG",
        help="rosbag2 to replay: its folder, or one .mcap or .db3 file",
    )
    source.add_argument(
        "--images", type=Path, metavar="DIR", help="folder of .png or .jpg frames to replay, 10 per second"
    )
    source.add_argument(
        "--video", type=Path, metavar="FILE", help="video file to replay; its frames become JPEG images"
    )
    add("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    add(
        "--topic",
        type=topic,
        metavar="TOPIC",
        help="camera topic to replay (default: the only one of the bag)",
    )
    add(
        "--labels-topic",
        type=topic,
        metavar="TOPIC",
        help="score against the labels on this topic (default: labels, in the camera's namespace, if there)",
    )
    add(
        "--next-to",
        type=Path,
        metavar="FILE",
        help="second ONNX file of the same classes, run over the same frames and shown next to the first",
    )
    add("--provider", choices=tuple(PROVIDERS), default="cpu", help="what the network runs on")
    add(
        "--rate",
        type=_rate,
        metavar="X",
        help="speed of the replay, 1: as recorded; auto (default): that, or as slow as the network needs",
    )
    add("--limit", type=count, metavar="N", help="replay the first N frames only")
    add(
        "--commands",
        type=Path,
        metavar="FILE",
        help="text file with the commands that led here, for the report",
    )


def _rate(text: str) -> float | None:
    """Read a speed; None for ``auto``."""
    return None if text == "auto" else positive(text)
