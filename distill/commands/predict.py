"""``kd_seg predict``: segment images, videos, cameras and bags, without ROS and without PyTorch."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import Any

from kd_seg_ros.common.command_line import (
    add_confidence_option,
    add_json_option,
    add_memory_option,
    add_threads_option,
    print_json,
)
from kd_seg_ros.common.decode_arguments import add_decode_arguments, decode_options
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.option_types import count, image_size, topic
from kd_seg_ros.common.picture_options import add_picture_options
from kd_seg_ros.common.share import default_model
from kd_seg_ros.inference.providers import AUTO, PROVIDERS
from kd_seg_ros.predict.results import KINDS

LOGGER = logging.getLogger(__name__)

DEFAULT_OUT = Path("predictions")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``kd_seg predict``."""
    parser.description = (
        "Segment an image, a folder, a pattern in quotes, a video file, a camera (0), a stream (rtsp://…) or "
        "a rosbag2. Neither ROS nor PyTorch is needed."
    )
    add = parser.add_argument
    add("source", metavar="SOURCE", help="file, folder, pattern, number of a camera, URL or rosbag2")
    add(
        "--model",
        type=Path,
        metavar="FILE",
        help="ONNX file, as `kd_seg export` writes it (default: the demo student)",
    )
    add("--out", type=Path, metavar="DIR", help=f"folder to write (default: {DEFAULT_OUT})")
    add(
        "--save",
        nargs="*",
        choices=tuple(KINDS),
        metavar="KIND",
        help=f"what to write of each frame: {', '.join(KINDS)} (default: mask, confidence and overlay; "
        "nothing for a camera or stream); without a word: nothing",
    )
    add(
        "--video",
        type=Path,
        metavar="FILE",
        help="video of images and classes next to each other, .mp4 or .gif",
    )
    add("--show", action="store_true", help="show a window: space pauses, q ends")
    add("--every", type=count, default=1, metavar="N", help="take every N-th frame (default: all)")
    add("--limit", type=count, metavar="N", help="end after N frames")
    add(
        "--size",
        type=image_size,
        metavar="HxW",
        help="resize images to this height and width first (default: as they are)",
    )
    add("--topic", type=topic, metavar="TOPIC", help="camera topic of a bag (default: its only one)")
    add_confidence_option(parser)
    add("--provider", choices=tuple(PROVIDERS), default=AUTO, help="what the network runs on (default: auto)")
    add_threads_option(parser)
    add_memory_option(parser)
    add_decode_arguments(parser, rotate=True)
    add_picture_options(parser)
    add("--overwrite", action="store_true", help="replace what an earlier run has written")
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Segment; return the exit status.

    It is 1 if an image could not be decoded or a stream has stopped, 130 or 143 after a signal, otherwise 0.
    """
    from kd_seg_ros.bags.interruption import Interrupted, Interruption

    with Interruption() as interruption:
        try:
            return _run(args, interruption)
        except Interrupted:
            print("interrupted", file=sys.stderr)
            return interruption.status


def _run(args: argparse.Namespace, interruption: Any) -> int:
    from kd_seg_ros.bags.video import writer_for
    from kd_seg_ros.inference.engine import Engine
    from kd_seg_ros.inference.legend import legend_of
    from kd_seg_ros.predict.predicting import PredictSettings, predict
    from kd_seg_ros.predict.results import Results
    from kd_seg_ros.predict.sources import open_source
    from kd_seg_ros.predict.window import check_window

    # Everything that can be refused is, before the model is loaded.
    if args.show:
        check_window()
    if args.video:
        if args.video.is_file() and not args.overwrite:
            raise UserError(f"--video {args.video}: exists already: --overwrite, or another name")
        writer_for(args.video)
    source = open_source(args.source, decode_options(args), args.topic)
    kinds = _kinds(args, source.live)
    if not (kinds or args.video or args.show):
        raise UserError("nothing would be kept: give --save, --video or --show")
    engine = Engine(
        args.model or default_model(), args.provider, threads=args.threads, memory_mb=args.max_model_memory_mb
    )
    legend = legend_of(engine.card, args.legend, args.marks)
    out = args.out or DEFAULT_OUT
    results = Results(out, kinds, engine.card, legend, args.overwrite) if kinds else None
    settings = PredictSettings(
        every=args.every,
        limit=args.limit,
        size=args.size,
        min_confidence=args.min_confidence,
        video=args.video,
        show=args.show,
        legend=legend,
    )
    try:
        with interruption.deferred():
            summary = predict(source, engine, results, settings, interruption.requested)
    finally:
        if results is not None:
            results.close()
    _report(args, summary, engine, out if kinds else None)
    if interruption.requested():
        return int(interruption.status)
    if source.trouble:
        print(f"warning: {source.trouble}; what came before is kept", file=sys.stderr)
    return 1 if summary.undecodable or source.trouble else 0


def _kinds(args: argparse.Namespace, live: bool) -> list[str]:
    """Return what to write of each frame."""
    if args.save is not None:
        return list(dict.fromkeys(args.save))
    return [] if live else ["mask", "confidence", "overlay"]


def _report(args: argparse.Namespace, summary: Any, engine: Any, out: Path | None) -> None:
    """Print what was done."""
    document = report(summary, engine.card.class_names)
    document |= {"model": engine.card.name, "provider": engine.provider, "out": str(out) if out else None}
    if args.json:
        print_json(document)
        return
    if summary.undecodable:
        LOGGER.warning("%d images could not be decoded and have no result", summary.undecodable)
    places = " and ".join(str(place) for place in (out, args.video) if place)
    done = f"{summary.frames} frames segmented by {engine.card.name} on {engine.provider}"
    print(f"{done}: {places}" if places else done)
    print(f"latency {document['latency_ms_median']:.0f} ms (median)", end="")
    expected = document["expected_accuracy"]
    print(f", expected accuracy {expected:.1%}" if expected is not None else "")
    shares = sorted(document["classes"].items(), key=lambda item: -item[1])
    print("  ".join(f"{name} {share:.1%}" for name, share in shares[:6] if share >= 0.001))


def report(summary: Any, class_names: tuple[str, ...]) -> dict[str, Any]:
    """Return a summary's figures as JSON.

    :param summary: a :class:`kd_seg_ros.predict.predicting.PredictSummary`.
    :return: frames, undecodable, median latency (ms), mean expected accuracy (0…1 or None), and the share of
        all pixels of each class that occurs (0…1), ``unlabelled`` among them.
    """
    import numpy as np

    total = int(summary.pixels.sum())
    shares = {name: int(summary.pixels[number]) / max(total, 1) for number, name in enumerate(class_names)}
    shares["unlabelled"] = 1.0 - sum(shares.values()) if total else 0.0
    return {
        "frames": summary.frames,
        "undecodable": summary.undecodable,
        "latency_ms_median": float(np.median(summary.latencies_ms)) if summary.latencies_ms else 0.0,
        "expected_accuracy": summary.expected_accuracy,
        "classes": {name: share for name, share in shares.items() if share > 0},
    }
