"""Segment every frame of a rosbag2 into another one, faster or slower than it was recorded, without ROS.

``ros2 run kd_seg_ros segment_bag IN --model student.onnx --out OUT``, see docs/bags.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kd_seg_ros.bags.interruption import Interrupted, Interruption
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.files import sha256
from kd_seg_ros.inference.providers import PROVIDERS

if TYPE_CHECKING:
    from rosbags.rosbag2 import Reader

    from distill.drives.labels import Labels
    from kd_seg_ros.bags.cameras import CameraTopics
    from kd_seg_ros.bags.segmenting import Notes
    from kd_seg_ros.inference.engine import Engine


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0 at the end, 130 or 143 when interrupted, 2 for a user's mistake."""
    args = _parser().parse_args(argv)
    with Interruption() as interruption:
        try:
            try:
                import rosbags  # noqa: F401
            except ImportError as error:  # rosdep has no key for it
                raise UserError(
                    "reading a bag needs the Python package rosbags: pip install rosbags"
                ) from error
            return _run(args, interruption)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        except Interrupted:
            print("interrupted: give the same command again to go on", file=sys.stderr)
            return interruption.status


def _run(args: argparse.Namespace, interruption: Interruption) -> int:
    from kd_seg_ros.bags.cameras import choose_cameras
    from kd_seg_ros.bags.reading import open_bag
    from kd_seg_ros.bags.text_topic import condition_texts
    from kd_seg_ros.inference.engine import Engine

    if args.compress and args.storage != "mcap":
        raise UserError("--compress is for --storage mcap: SQLite files have no compression of their own")
    write_video = _video_writer(args)
    with open_bag(args.bag) as reader:
        cameras = choose_cameras(reader, args.bag, args.topic, args.labels)
        _check_one_camera(args, cameras)
        if args.condition_topic:
            condition_texts(args.bag, cameras[0], args.condition_topic)  # refused before any work is done
        labels = _labels(args, cameras[0])
        engine = Engine(args.model, args.provider)
        with interruption.deferred():
            notes = _segment(args, reader, cameras, engine, interruption)
    _report(args, notes)
    if interruption.requested():
        return interruption.status
    if notes.undecodable == notes.frames:
        raise UserError(f"{args.bag}: not one of {notes.frames} images could be decoded: {notes.problem}")
    palette = engine.card.palette
    del engine  # its memory may be needed for the scores
    if write_video:
        _video(args, cameras[0], notes, palette, write_video)
    if labels:
        with closing(labels):
            _scores(args, cameras[0], notes, labels)
    return 0


def _segment(
    args: argparse.Namespace,
    reader: Reader,
    cameras: list[CameraTopics],
    engine: Engine,
    interruption: Interruption,
) -> Notes:
    """Segment, or go on segmenting, unless all is done."""
    from kd_seg_ros.bags.progress import Progress
    from kd_seg_ros.bags.resumable_bag import ResumableBag
    from kd_seg_ros.bags.resume_check import check_resume, fingerprint
    from kd_seg_ros.bags.segmenting import Notes, Output, output_topics, segment
    from kd_seg_ros.bags.summary import FrameTable

    copied = _copied(args, reader, cameras)
    command = {
        "the input": fingerprint(reader, args.bag),
        "the model": sha256(args.model),
        "--provider": args.provider,
        "--topic": [camera.topic for camera in cameras],
        "--copy": copied,
        "--overlay": args.overlay,
        "--min-confidence": args.min_confidence,
        "--storage": args.storage,
        "--compress": args.compress,
        "--csv": str(args.csv.resolve()) if args.csv else "",
    }
    kept = check_resume(args.out, command, args.bag, args.overwrite)
    notes = Notes(**kept) if kept else Notes(command)
    if notes.finished:
        print(f"{args.out} is finished already: {notes.frames} frames", file=sys.stderr)
        return notes
    total = sum(c.msgcount for c in reader.connections if c.topic in {camera.topic for camera in cameras})
    if notes.frames:
        print(f"going on after frame {notes.frames} of {total}", file=sys.stderr)
    topics = output_topics(reader, cameras, copied, args.overlay)
    progress = Progress("segmenting", total, notes.frames)
    with ResumableBag(args.out, topics, args.storage, args.compress, vars(notes), args.overwrite) as bag:
        notes = Notes(**bag.notes)  # another process may have gone on with it until a moment ago
        table = FrameTable(args.csv, engine.card, notes.csv_bytes) if args.csv else None
        output = Output(bag, notes, engine.card, table, args.overlay)
        try:
            segment(
                reader,
                cameras,
                copied,
                engine,
                output,
                args.min_confidence,
                interruption.requested,
                progress.step,
            )
        except UserError as error:
            progress.close()
            done = bag.notes["frames"]
            raise UserError(f"{error} (frames 1 to {done} of {total} are in {args.out})") from error
        finally:
            if table:
                table.close()
    progress.close()
    return notes


def _copied(args: argparse.Namespace, reader: Reader, cameras: list[CameraTopics]) -> list[str]:
    """List the topics to copy; of ``--copy`` alone, all that are not made here."""
    made = {topic for c in cameras for topic in (c.mask, c.confidence, c.overlay)}
    known = {c.topic for c in reader.connections if c.msgcount}
    if args.copy is None:
        return []
    if missing := sorted(set(args.copy) - known):
        raise UserError(f"--copy {missing[0]}: not in {args.bag}, which has {', '.join(sorted(known))}")
    if clash := sorted(set(args.copy) & made):
        raise UserError(f"--copy {clash[0]}: a topic of this name is written here")
    return sorted(args.copy or known - made)


def _check_one_camera(args: argparse.Namespace, cameras: list[CameraTopics]) -> None:
    if len(cameras) > 1:
        for option in ("video", "labels", "acdc"):
            if getattr(args, option):
                raise UserError(f"--{option} is for one camera: give --topic once")


def _labels(args: argparse.Namespace, camera: CameraTopics) -> Labels | None:
    """Find the labels and refuse what cannot be scored, before any work is done."""
    from distill.drives.bag_scores import check_offline_half
    from distill.drives.labels import AcdcLabels, TopicLabels

    if not (args.labels or args.acdc):
        return None
    check_offline_half()
    labels: Labels
    if args.acdc:
        labels = AcdcLabels(args.bag, camera, args.acdc)
    else:
        labels = TopicLabels(args.bag, camera, args.labels)
    if labels.unused:
        _warn(f"{labels.unused} labels belong to no image: no image on {camera.topic} has their header stamp")
    return labels


def _video_writer(args: argparse.Namespace) -> Callable[..., None] | None:
    from kd_seg_ros.bags.video import writer_for

    return writer_for(args.video) if args.video else None


def _video(
    args: argparse.Namespace, camera: CameraTopics, notes: Notes, palette: Any, write: Callable[..., None]
) -> None:
    from kd_seg_ros.bags.progress import Progress
    from kd_seg_ros.bags.segmented_frames import segmented_frames
    from kd_seg_ros.bags.video import panel_size, picture

    hertz = notes.rate(camera.topic)
    rate = f"{hertz:.3g} Hz" if hertz else ""
    progress = Progress("video", notes.frames - notes.undecodable)

    def pictures() -> Iterator[Any]:
        panel = None
        with closing(segmented_frames(args.bag, camera, args.out, args.condition_topic)) as found:
            for answer in found:
                panel = panel or panel_size(answer.image)
                words = (answer.condition, f"frame {answer.number}", rate)
                yield picture(answer.image, answer.mask, palette, "   ".join(filter(None, words)), panel)
                progress.step()

    write(pictures(), args.video, min(max(hertz or 1.0, 1.0), 60.0))
    progress.close()
    print(f"video: {args.video}")


def _scores(args: argparse.Namespace, camera: CameraTopics, notes: Notes, labels: Labels) -> None:
    from distill.drives.bag_scores import print_scores, score
    from kd_seg_ros.bags.progress import Progress
    from kd_seg_ros.bags.segmented_frames import segmented_frames

    metrics = args.metrics or args.out / "metrics.json"
    progress = Progress("scoring", notes.frames - notes.undecodable)
    with closing(segmented_frames(args.bag, camera, args.out, args.condition_topic)) as found:
        document = score(found, labels, args.model, args.provider, metrics, not args.no_auprc, progress.step)
    progress.close()
    print_scores(document)
    print(f"scores: {metrics}")


def _report(args: argparse.Namespace, notes: Notes) -> None:
    answered = notes.frames - notes.undecodable
    if notes.undecodable:
        _warn(f"{notes.undecodable} frames could not be decoded and have no mask: {notes.problem}")
    if notes.backwards:
        _warn(f"{notes.backwards} header stamps go back in time; kept as they are")
    if len(notes.sizes) > 1:
        sizes = ", ".join(f"{width}×{height}" for height, width in notes.sizes)
        _warn(f"images of several sizes ({sizes}): the network sees each stretched to its own")
    if not notes.finished:
        print(f"interrupted after frame {notes.frames}: the same command goes on there", file=sys.stderr)
    else:
        print(f"{answered} of {notes.frames} frames segmented: {args.out}")


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="segment_bag",
        description="Segment every frame of a rosbag2 into another one. "
        "Interrupted, it goes on where it was when it is given again.",
    )
    add = parser.add_argument
    add("bag", type=Path, metavar="IN", help="a rosbag2 folder, or one .mcap or .db3 file")
    add("--model", type=Path, required=True, help="ONNX file of `python -m distill export`")
    add("--out", type=Path, required=True, help="rosbag2 folder to write")
    add("--provider", choices=tuple(PROVIDERS), default="cuda", help="default: %(default)s")
    add(
        "--topic",
        action="append",
        help="image topic to segment; may be given several times (default: the only one of the bag)",
    )
    add("--overlay", action="store_true", help="write the classes laid over the image, too")
    add(
        "--copy",
        nargs="*",
        metavar="TOPIC",
        help="copy these topics of the input; without names: all of them, the images among them",
    )
    add("--min-confidence", type=_share, default=0.0, help="pixels below it lose their class, 0…1")
    add("--storage", choices=("mcap", "sqlite3"), default="mcap", help="default: %(default)s")
    add("--compress", action="store_true", help="by zstd, in the MCAP file; every reader of MCAP knows it")
    add("--overwrite", action="store_true", help="replace an earlier output of this command")
    add("--csv", type=Path, metavar="FILE", help="a line of figures for every frame")
    add("--video", type=Path, metavar="FILE", help="camera and classes side by side, .mp4 (H.264) or .gif")
    add(
        "--condition-topic",
        metavar="TOPIC",
        help="std_msgs/String that tells the weather (default: condition beside the camera's topic)",
    )
    truth = parser.add_mutually_exclusive_group()
    truth.add_argument("--labels", metavar="TOPIC", help="score against these images of class ids (mono8)")
    truth.add_argument(
        "--acdc", type=Path, metavar="ROOT", help="score a bag of make_bag against ACDC's files"
    )
    add("--metrics", type=Path, metavar="FILE", help="of the scores (default: OUT/metrics.json)")
    add("--no-auprc", action="store_true", help="score the maps alone, without a second run of the network")
    return parser


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not within 0…1")
    return value


if __name__ == "__main__":
    sys.exit(main())
