"""Make a rosbag2 of image files or a video, to be driven through the node or through segment_bag.

``python -m distill.commands.make_bag SOURCE --out BAG``, see docs/bags.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kd_seg_ros.common.errors import UserError

if TYPE_CHECKING:
    from kd_seg_ros.bags.pictures import Picture

_RATE = 10.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0 or, for a user's mistake, 2."""
    args = _parser().parse_args(argv)
    try:
        try:
            import rosbags  # noqa: F401
        except ImportError as error:  # rosdep has no key for it
            raise UserError("writing a bag needs the Python package rosbags: pip install rosbags") from error
        _run(args)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _run(args: argparse.Namespace) -> None:
    from kd_seg_ros.bags.camera_calibration import CameraCalibration
    from kd_seg_ros.bags.making import RecordingSettings, make_bag
    from kd_seg_ros.bags.progress import Progress

    pictures, total = _pictures(args)
    recording = RecordingSettings(
        topic=args.topic,
        compressed=args.compressed,
        frame_id=args.frame_id,
        storage=args.storage,
        start=round(args.start * 1e9),
        condition=args.condition,
        calibration=CameraCalibration(args.calibration) if args.calibration else None,
        labels=_labels(args.labels) if args.labels else None,
    )
    progress = Progress("make_bag", min(total, args.limit or total))
    count = make_bag(islice(pictures, args.limit), args.out, recording, progress.step)
    progress.close()
    print(f"{args.out}: {count} frames on {args.topic}{'/compressed' if args.compressed else ''}")


def _pictures(args: argparse.Namespace) -> tuple[Iterable[Picture], int]:
    from kd_seg_ros.bags.pictures import VideoFrames, image_files

    if args.source.is_file():
        video = VideoFrames(args.source, args.rate)
        return video, video.count
    files = image_files(args.source, args.rate or _RATE, args.consecutive)
    return files, len(files)


def _labels(root: Path) -> Callable[[Picture], Any]:
    """Return what finds a picture's trainIds below ACDC's root."""
    from distill.drives.acdc_labels import labelled_frames, read_labels

    frames = labelled_frames(root)

    def labels(picture: Picture) -> Any:
        frame = frames.get(Path(picture.name).name)
        return None if frame is None else read_labels(frame)

    return labels


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make_bag", description="Make a rosbag2 of images or of a video.")
    add = parser.add_argument
    add("source", type=Path, metavar="SOURCE", help="folder of .png or .jpg files, or a video file")
    add("--out", type=Path, required=True, help="rosbag2 folder to make")
    add("--rate", type=_positive, help="frame numbers a second (default: 10, or what the video says)")
    add("--consecutive", action="store_true", help="count the files one by one, whatever their names say")
    add("--limit", type=_count, metavar="N", help="the first N frames only")
    add("--topic", type=_topic, default="/camera/image_raw", help="of the images (default: %(default)s)")
    add(
        "--compressed",
        action="store_true",
        help="write TOPIC/compressed: image files byte for byte, a video's frames as JPEG",
    )
    add("--frame-id", default="camera", help="of the headers (default: %(default)s)")
    add(
        "--start",
        type=_seconds,
        default=1_700_000_000,
        help="stamp of the first frame, s (default: %(default)s)",
    )
    add("--storage", choices=("mcap", "sqlite3"), default="mcap", help="default: %(default)s")
    add("--condition", metavar="WORD", help="the weather (default: the folder's name, as ACDC has them)")
    add(
        "--calibration",
        type=Path,
        metavar="YAML",
        help="of camera_calibration, for camera_info (default: size only)",
    )
    add("--labels", type=Path, metavar="ROOT", help="add ACDC's labels, found below this folder")
    return parser


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < 2**31:
        raise argparse.ArgumentTypeError(f"{text} is not within 0…2147483647 s")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return value


def _topic(text: str) -> str:
    if not text.startswith("/") or text.endswith(("/", "/compressed")):
        raise argparse.ArgumentTypeError(f"{text} is not a full topic name such as /camera/image_raw")
    return text


if __name__ == "__main__":
    sys.exit(main())
