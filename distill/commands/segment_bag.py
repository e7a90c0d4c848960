"""``kd_seg segment-bag``: segment every frame of a rosbag2 into another one, see docs/bags.md."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from distill.common.files import check_destination
from distill.drives.bag_scores import all_scores_possible, print_scores, score
from distill.drives.labels import Labels, open_labels
from distill.evaluation.run_files import write_run
from kd_seg_ros.bags.cameras import CameraTopics, choose_cameras
from kd_seg_ros.bags.interruption import Interrupted, Interruption
from kd_seg_ros.bags.progress import Progress
from kd_seg_ros.bags.reading import open_bag
from kd_seg_ros.bags.segmentation_run import SegmentationSettings, log_oddities, segment_bag
from kd_seg_ros.bags.segmented_frames import segmented_frames
from kd_seg_ros.bags.segmenting import Notes
from kd_seg_ros.bags.text_topic import condition_texts
from kd_seg_ros.bags.video import pictures_of, writer_for
from kd_seg_ros.common.command_line import (
    add_confidence_option,
    add_json_option,
    add_memory_option,
    add_threads_option,
    print_json,
    run_command,
)
from kd_seg_ros.common.decode_arguments import add_decode_arguments, decode_options
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.option_types import topic
from kd_seg_ros.common.picture_options import add_picture_options
from kd_seg_ros.common.share import default_model
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.drivable import DEFAULT_CLASSES
from kd_seg_ros.inference.engine import Engine
from kd_seg_ros.inference.legend import legend_of
from kd_seg_ros.inference.providers import PROVIDERS

LOGGER = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the executable ``segment_bag``; return its exit status."""
    return run_command("segment_bag", "", "distill.commands.segment_bag", argv)


def run(args: argparse.Namespace) -> int:
    """Segment, then make the video and score; return the exit status.

    It is 1 if a file of the bag cannot be read and was left out, 130 or 143 after a signal, otherwise 0.
    """
    with Interruption() as interruption:
        try:
            return _run(args, interruption)
        except Interrupted:
            print("interrupted: give the same command again to continue", file=sys.stderr)
            return interruption.status
        except UserError as error:
            if not interruption.requested():
                raise
            # The network did not answer after a signal, and its run was ended.
            print(f"interrupted while the network was running ({error})", file=sys.stderr)
            return interruption.status


def _run(args: argparse.Namespace, interruption: Interruption) -> int:
    args.model = args.model or default_model()
    settings = SegmentationSettings(
        out=args.out,
        provider=args.provider,
        overlay=args.overlay,
        marks=args.marks,
        legend=args.legend,
        drivable=args.drivable,
        min_confidence=args.min_confidence,
        copy=args.copy,
        storage=args.storage,
        compress=args.compress,
        csv=args.csv,
        decoding=decode_options(args),
        overwrite=args.overwrite,
    )
    write_video = writer_for(args.video) if args.video else None
    for file in (args.video, args.metrics):
        # The bag's folder is made by the bag's writer.
        if file is not None and args.out not in file.parents:
            check_destination(file)
    with open_bag(args.bag) as reader:
        cameras = choose_cameras(reader, args.bag, args.topic, args.labels_topic)
        _check_one_camera(args, cameras)
        if args.condition_topic:
            condition_texts(args.bag, cameras[0], args.condition_topic)  # refused before any work is done
        labels = _labels(args, cameras[0])
        engine = Engine(args.model, args.provider, threads=args.threads, memory_mb=args.max_model_memory_mb)
        with interruption.deferred():
            stop = interruption.requested
            notes = segment_bag(args.bag, reader, cameras, engine, settings, stop)
        left_out = list(reader.left_out)
    _report(args, notes)
    if interruption.requested():
        return interruption.status
    if notes.undecodable == notes.frames:
        raise UserError(f"{args.bag}: not one of {notes.frames} images could be decoded: {notes.problem}")
    card = engine.card
    del engine  # its memory may be needed for the scores
    # A disk that is full by now costs the file that was to be written, not the scores, which are printed.
    failures: list[UserError] = []
    if write_video:
        try:
            _video(args, cameras[0], notes, card, write_video)
        except UserError as error:
            failures.append(error)
    scores = None
    if labels:
        with closing(labels):
            scores = _scores(args, cameras[0], notes, labels, card, failures)
    if args.json:
        out, undecodable = str(args.out), notes.undecodable
        print_json({"out": out, "frames": notes.frames, "undecodable": undecodable, "scores": scores})
    if failures:
        raise failures[0]
    return 1 if left_out else 0


def _check_one_camera(args: argparse.Namespace, cameras: list[CameraTopics]) -> None:
    if len(cameras) > 1:
        for option in ("video", "labels_topic", "acdc"):
            if getattr(args, option):
                raise UserError(f"--{option.replace('_', '-')} is for one camera: give --topic once")


def _labels(args: argparse.Namespace, camera: CameraTopics) -> Labels | None:
    """Find the labels and refuse what cannot be scored, before any work is done."""
    if not (args.labels_topic or args.acdc):
        return None
    args.no_auprc = args.no_auprc or not all_scores_possible()
    return open_labels(args.bag, camera, args.labels_topic, args.acdc, args.rotate)


def _video(
    args: argparse.Namespace, camera: CameraTopics, notes: Notes, card: ModelCard, write: Callable[..., None]
) -> None:
    hertz = notes.rate(camera.topic)
    legend = legend_of(card, args.legend, args.marks)
    progress = Progress("video", notes.frames - notes.undecodable)
    with closing(
        segmented_frames(args.bag, camera, args.out, args.condition_topic, decode_options(args))
    ) as found:
        write(
            pictures_of(found, card.palette, hertz, progress.step, legend),
            args.video,
            min(max(hertz or 1.0, 1.0), 60.0),
        )
    progress.close()
    LOGGER.info("video: %s", args.video)


def _scores(
    args: argparse.Namespace,
    camera: CameraTopics,
    notes: Notes,
    labels: Labels,
    card: ModelCard,
    failures: list[UserError],
) -> dict[str, Any]:
    """Score what was segmented; write, print and return the scores; a failure to write joins the others."""
    metrics = args.metrics or args.out / "metrics.json"
    progress = Progress("scoring", notes.frames - notes.undecodable)
    with closing(
        segmented_frames(args.bag, camera, args.out, args.condition_topic, decode_options(args))
    ) as found:
        provider = None if args.no_auprc else args.provider
        document, images = score(found, labels, args.model, card, provider, progress.step)
    progress.close()
    try:
        document = write_run(metrics, document, images)
        LOGGER.info("scores: %s", metrics)
    except UserError as error:
        failures.append(error)
    if not args.json:
        print_scores(document)
    return dict(document["scores"])


def _report(args: argparse.Namespace, notes: Notes) -> None:
    answered = notes.frames - notes.undecodable
    log_oddities(notes)
    if not notes.finished:
        LOGGER.warning("interrupted after frame %d: the same command continues there", notes.frames)
    elif not args.json:
        print(f"{answered} of {notes.frames} frames segmented: {args.out}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``kd_seg segment-bag``."""
    parser.description = (
        "Segment every frame of a rosbag2 into another one. After an interruption the same command continues "
        "where it stopped."
    )
    add = parser.add_argument
    add("bag", type=Path, metavar="BAG", help="rosbag2 to read: its folder, or one .mcap or .db3 file")
    add(
        "--model",
        type=Path,
        metavar="FILE",
        help="ONNX file, as `kd_seg export` writes it (default: the demo student)",
    )
    add("--out", type=Path, required=True, metavar="BAG", help="rosbag2 folder to write")
    add("--provider", choices=tuple(PROVIDERS), default="cuda", help="what the network runs on")
    add_threads_option(parser)
    add_memory_option(parser)
    add(
        "--topic",
        action="append",
        type=topic,
        metavar="TOPIC",
        help="camera topic to segment; may be given several times (default: the only one of the bag)",
    )
    add("--overlay", action="store_true", help="also write the camera image with the classes laid over it")
    add_picture_options(parser)
    add(
        "--copy",
        nargs="*",
        metavar="TOPIC",
        help="copy these topics of the input; without names: all of them, including the images",
    )
    add_confidence_option(parser)
    add(
        "--drivable",
        nargs="?",
        const=DEFAULT_CLASSES,
        default="",
        metavar="CLASSES",
        help="also write segmentation/drivable, 255 where one may drive; by default on road",
    )
    add("--storage", choices=("mcap", "sqlite3"), default="mcap", help="file format of the bag")
    add(
        "--compress",
        action="store_true",
        help="compress the MCAP file's chunks by zstd, which every MCAP reader understands",
    )
    add_decode_arguments(parser, rotate=True)
    add("--overwrite", action="store_true", help="replace what an earlier run has written")
    add("--csv", type=Path, metavar="FILE", help="write a table with one line per frame")
    add(
        "--video",
        type=Path,
        metavar="FILE",
        help="write camera and classes side by side, .mp4 (H.264) or .gif",
    )
    add(
        "--condition-topic",
        type=topic,
        metavar="TOPIC",
        help="std_msgs/String topic with the weather (default: condition, in the camera's namespace)",
    )
    labels = parser.add_mutually_exclusive_group()
    labels.add_argument(
        "--labels-topic",
        type=topic,
        metavar="TOPIC",
        help="score against the labels on this topic: mono8 images of class ids, with their image's stamp",
    )
    labels.add_argument(
        "--acdc",
        type=Path,
        metavar="DIR",
        help="score a bag of `kd_seg make-bag` against the labels of ACDC here",
    )
    add(
        "--metrics",
        type=Path,
        metavar="FILE",
        help="JSON file to write the scores into (default: metrics.json in the written bag)",
    )
    add(
        "--no-auprc",
        action="store_true",
        help="leave out AUPRC, Brier score and NLL, for which the network runs a second time",
    )
    add_json_option(parser)
