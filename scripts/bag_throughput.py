"""What reading and writing cost ``segment_bag``: its frames per second next to those of the network alone.

Next to both stands a plain loop that reads, decodes, segments and writes one frame after the other.

``python scripts/bag_throughput.py --model student.onnx --provider cuda``. Each repeat times the network on
images that are in memory already, then both ways from a bag to a bag, on the same images. Next to the
time stands the processors' own, which other programs on the machine disturb less: it counts with ``cpu``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.bags.cameras import choose_cameras
from kd_seg_ros.bags.channels import Channels
from kd_seg_ros.bags.making import RecordingSettings, make_bag
from kd_seg_ros.bags.messages import IMAGE, METADATA_VERSION, image_cdr, parsed_messages
from kd_seg_ros.bags.pictures import Picture
from kd_seg_ros.bags.reading import open_bag
from kd_seg_ros.bags.resumable_bag import ResumableBag
from kd_seg_ros.bags.segmenting import Notes, Output, output_topics, segment
from kd_seg_ros.bags.writing import STORAGES, BagWriter
from kd_seg_ros.common.decode import decode_compressed, decode_image
from kd_seg_ros.common.encodings import MONO8
from kd_seg_ros.common.topics import COMPRESSED
from kd_seg_ros.inference.engine import Engine
from kd_seg_ros.inference.providers import PROVIDERS

DIFFERENT = 4
"""Images; the bag repeats them."""


def main() -> None:
    """Measure both and print their ratio."""
    args = _parser().parse_args()
    engine = Engine(args.model, args.provider)
    height, width = engine.size
    images = [_image(number, height, width) for number in range(DIFFERENT)]
    engine.segment(images[0])
    print(f"{args.model.name}, {engine.provider}, {width}×{height}, {args.frames} frames a repeat")
    ratios = []
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        bag = Path(folder) / "bag"
        make_bag(_pictures(images, args.frames), bag, RecordingSettings(compressed=args.compressed))
        for repeat in range(args.repeats):
            bare = _timed(partial(_bare, engine, images, args.frames))
            whole = _timed(partial(_whole, engine, bag, Path(folder) / f"out_{repeat}"))
            naive = _timed(partial(_naive, engine, bag, Path(folder) / f"naive_{repeat}"))
            ratios.append([bare / whole, bare / naive])
            speeds = [args.frames / seconds for seconds in (bare[0], whole[0], naive[0])]
            print(
                f"network alone {speeds[0]:.2f}/s; bag to bag {speeds[1]:.2f}/s, {_shares(ratios[-1][0])}; "
                f"in a plain loop {speeds[2]:.2f}/s, {_shares(ratios[-1][1])}"
            )
    whole_share, naive_share = np.median(ratios, axis=0)
    print(f"median: bag to bag {_shares(whole_share)}; in a plain loop {_shares(naive_share)}")


def _shares(ratios: NDArray[np.float64]) -> str:
    """Write which part of the network's own speed is reached."""
    return f"{100 * ratios[0]:.1f} % by time and {100 * ratios[1]:.1f} % by processor time"


def _timed(work: Callable[[], None]) -> NDArray[np.float64]:
    """Return the seconds by the clock and the processors' seconds that something takes."""
    start = np.array([time.perf_counter(), time.process_time()])
    work()
    return np.array([time.perf_counter(), time.process_time()]) - start


def _bare(engine: Engine, images: list[NDArray[np.uint8]], frames: int) -> None:
    for number in range(frames):
        engine.segment(images[number % DIFFERENT])


def _whole(engine: Engine, bag: Path, out: Path) -> None:
    with open_bag(bag) as reader:
        cameras = choose_cameras(reader, bag, None)
        notes = Notes({})
        topics = output_topics(reader, cameras, [], overlay=False, drivable=False)
        with ResumableBag(out, topics, "mcap", compress=False, notes=vars(notes)) as parts:
            segment(reader, cameras, [], engine, Output(parts, notes, engine.card, None))


def _naive(engine: Engine, bag: Path, out: Path) -> None:
    """Read, decode, segment and write, one frame after the other, as a script of a few lines does."""
    with (
        open_bag(bag) as reader,
        BagWriter(out, version=METADATA_VERSION, storage_plugin=STORAGES["mcap"]) as writer,
    ):
        write = Channels(writer)
        camera = choose_cameras(reader, bag, None)[0]
        for topic, time_ns, message in parsed_messages(reader, {camera.topic}):
            decode = decode_compressed if topic.endswith(COMPRESSED) else decode_image
            found = engine.segment(decode(message))
            for name, pixels in ((camera.mask, found.mask), (camera.confidence, found.confidence)):
                write(name, IMAGE, time_ns, image_cdr(message.header, pixels, MONO8))


def _image(number: int, height: int, width: int) -> NDArray[np.uint8]:
    """A picture of soft blobs, about as hard to compress as a photograph."""
    rng = np.random.default_rng(number)
    coarse = rng.integers(0, 256, (height // 40, width // 40, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    grain = rng.integers(0, 12, (height, width, 3), dtype=np.uint8)
    return np.asarray(cv2.add(smooth, grain), np.uint8)


def _pictures(images: list[NDArray[np.uint8]], frames: int) -> Iterator[Picture]:
    for number in range(frames):
        yield Picture(str(number), number * 100_000_000, None, None, images[number % DIFFERENT])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Frames per second of segment_bag, and of the network alone."
    )
    parser.add_argument("--model", type=Path, required=True, help="ONNX file of `kd_seg export`")
    parser.add_argument("--provider", choices=PROVIDERS, default="cpu", help="default: %(default)s")
    parser.add_argument("--frames", type=int, default=40, help="frames per repeat (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="number of repeats (default: %(default)s)")
    parser.add_argument("--compressed", action="store_true", help="write JPEG images into the bag")
    parser.add_argument("--folder", type=Path, help="folder for the bags (default: a temporary one)")
    return parser


if __name__ == "__main__":
    main()
