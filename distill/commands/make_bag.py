"""``kd_seg make-bag``: make a rosbag2 of image files or of a video; see docs/bags.md."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from kd_seg_ros.bags.camera_calibration import CameraCalibration
from kd_seg_ros.bags.making import RecordingSettings, make_bag
from kd_seg_ros.bags.pictures import Picture, VideoFrames, image_files
from kd_seg_ros.bags.progress import Progress
from kd_seg_ros.common.command_line import run_command
from kd_seg_ros.common.decode_arguments import add_decode_arguments, decode_options
from kd_seg_ros.common.option_types import count, not_negative, positive, topic
from kd_seg_ros.common.topics import COMPRESSED

_HERTZ = 10.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the executable ``make_bag``; return its exit status."""
    return run_command("make_bag", "", "distill.commands.make_bag", argv)


def run(args: argparse.Namespace) -> int:
    """Write the bag and print its number of frames; return 0."""
    pictures, total = _pictures(args)
    topic_name = args.topic.removesuffix(COMPRESSED)
    compressed = args.compressed or args.topic.endswith(COMPRESSED)
    recording = RecordingSettings(
        topic=topic_name,
        compressed=compressed,
        frame_id=args.frame_id,
        storage=args.storage,
        start=round(args.start * 1e9),
        condition=args.condition,
        calibration=CameraCalibration(args.calibration) if args.calibration else None,
        decoding=decode_options(args),
        labels=_labels(args.acdc) if args.acdc else None,
    )
    progress = Progress("make_bag", min(total, args.limit or total))
    frames = make_bag(islice(pictures, args.limit), args.out, recording, progress.step)
    progress.close()
    print(f"{args.out}: {frames} frames on {topic_name}{COMPRESSED if compressed else ''}")
    return 0


def _pictures(args: argparse.Namespace) -> tuple[Iterable[Picture], int]:
    if args.source.is_file():
        video = VideoFrames(args.source, args.hertz, decode_options(args))
        return video, video.count
    files = image_files(args.source, args.hertz or _HERTZ, args.consecutive)
    return files, len(files)


def _labels(root: Path) -> Callable[[Picture], Any]:
    """Return a function that finds a picture's trainIds below ACDC's root."""
    from distill.drives.acdc_labels import labelled_frames, read_labels

    return partial(_labels_of, labelled_frames(root), read_labels)


def _labels_of(frames: Mapping[str, Any], read: Callable[[Any], Any], picture: Picture) -> Any:
    """Read the labels of a picture by the name of its file; None if it has none."""
    frame = frames.get(Path(picture.name).name)
    return None if frame is None else read(frame)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``kd_seg make-bag``."""
    parser.description = "Make a rosbag2 of image files or of a video, for the node or for segment_bag."
    add = parser.add_argument
    add("source", type=Path, metavar="SOURCE", help="folder of .png or .jpg files, or a video file")
    add("--out", type=Path, required=True, metavar="BAG", help="rosbag2 folder to write")
    add(
        "--hertz",
        type=positive,
        metavar="HZ",
        help="images per second (default: 10, or what the video file says)",
    )
    add(
        "--consecutive",
        action="store_true",
        help="count the files one by one (default: the numbers in their names are the frames' numbers)",
    )
    add("--limit", type=count, metavar="N", help="take the first N frames only")
    add(
        "--topic",
        type=topic,
        default="/camera/image_raw",
        metavar="TOPIC",
        help="camera topic to write; with /compressed at its end it implies --compressed",
    )
    add(
        "--compressed",
        action="store_true",
        help="write JPEG images to TOPIC/compressed (sensor_msgs/CompressedImage); image files byte "
        "for byte, except that those which Exif calls turned are turned upright",
    )
    add("--frame-id", default="camera", metavar="NAME", help="frame_id of the headers")
    add(
        "--start",
        type=_seconds,
        default=1_700_000_000,
        metavar="S",
        help="stamp of the first frame, in seconds since 1970",
    )
    add("--storage", choices=("mcap", "sqlite3"), default="mcap", help="file format of the bag")
    add(
        "--condition",
        metavar="WORD",
        help="weather to write to the condition topic (default: the folder's name, as in ACDC)",
    )
    add(
        "--calibration",
        type=Path,
        metavar="FILE",
        help="YAML file of camera_calibration, for camera_info (default: only the size is known)",
    )
    add_decode_arguments(parser, rotate=False)
    add("--acdc", type=Path, metavar="DIR", help="also write the labels of ACDC, found below this folder")


def _seconds(text: str) -> float:
    """Read a time that a ROS stamp can hold, s."""
    value = not_negative(text)
    if value >= 2**31:
        raise argparse.ArgumentTypeError(f"must be within 0…2147483647 s, not {text}")
    return value
