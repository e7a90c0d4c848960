"""Faulty bags: read, segmented and played; and faulty image files that a bag is made of."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.bags.cameras import CameraTopics
from kd_seg_ros.bags.making import RecordingSettings, make_bag
from kd_seg_ros.bags.messages import STORE
from kd_seg_ros.bags.pictures import image_files
from kd_seg_ros.bags.reading import messages, open_bag
from kd_seg_ros.bags.segmentation_run import SegmentationSettings, segment_bag
from kd_seg_ros.campaign.in_process import Ended, judged_command
from kd_seg_ros.campaign.outcome import Expected, Verdict, judged
from kd_seg_ros.campaign.pictures import wrong_picture
from kd_seg_ros.campaign.small_model_file import small_model_file
from kd_seg_ros.common.decode import decode_image
from kd_seg_ros.faults import bags
from kd_seg_ros.faults.bags import CAMERA, REFUSED, FaultyBag, faulty_bag
from kd_seg_ros.faults.images import CASES as IMAGE_CASES
from kd_seg_ros.faults.images import CompressedImage, faulty_image
from kd_seg_ros.faults.onnx_writer import known_answer
from kd_seg_ros.inference.engine import Engine
from kd_seg_ros.playback.timing import read_timing

_RANDOM: Final = ("cut", "zeros", "length", "bits")
"""Last words of the cases with damage at a random place: in a time, playing would take years."""


def names() -> Sequence[str]:
    """Return the names of the cases: what is done with a bag, and what is wrong with it.

    :raises ImportError: without rosbags.
    """
    import rosbags  # noqa: F401 (whether it is there)

    found = []
    for case in bags.CASES:
        found += [f"read: {case}", f"segment: {case}"]
        if not case.endswith(_RANDOM) and _has_ros():
            found.append(f"play: {case}")
    return found + [f"make: {case}" for case in IMAGE_CASES if _is_file(case)]


def try_case(name: str, seed: int, folder: Path) -> Verdict:
    """Make a bag or images and do with them what the name says."""
    work, _, case = name.partition(": ")
    if work == "make":
        return _make(case, seed, folder)
    bag = faulty_bag(case, folder, seed)
    expected = Expected.EITHER
    if bag.images is not None:
        expected = Expected.REFUSED if bag.images == REFUSED else Expected.SAME
    if work == "read":
        return judged(partial(_count, bag.path), expected, partial(_wrong_number, bag))
    if work == "segment":
        return judged(partial(_segment, bag.path, folder / "out"), expected, partial(_wrong_masks, bag))
    return _play(bag, expected, folder)


@cache
def _has_ros() -> bool:
    try:
        import rclpy  # noqa: F401
    except ImportError:
        return False
    return True


def _count(path: Path) -> int:
    """Return the number of images in a bag."""
    with open_bag(path) as reader:
        return sum(c.topic == CAMERA for c, _, _ in messages(reader, reader.connections))


def _wrong_number(bag: FaultyBag, found: int) -> str:
    if bag.images is None:
        return "" if 0 <= found <= bags.FRAMES else f"{found} images of {bags.FRAMES}"
    return "" if found == bag.images else f"{found} images of {bag.images}"


@cache
def _engine() -> Engine:
    with small_model_file(8, 12) as path:
        return Engine(path, "cpu", threads=1)


def _segment(path: Path, out: Path) -> tuple[int, int]:
    """Segment a bag; return the number of masks and of images that could not be decoded.

    :raises ValueError: if a mask is not the known answer.
    """
    camera = CameraTopics(CAMERA, False, "")
    with open_bag(path) as reader:
        notes = segment_bag(path, reader, [camera], _engine(), SegmentationSettings(out, "cpu"))
    expected = []
    with open_bag(path) as reader:
        connections = [c for c in reader.connections if c.topic == CAMERA]
        for connection, _, raw in messages(reader, connections):
            try:
                picture = decode_image(STORE.deserialize_cdr(raw, connection.msgtype))
            except Exception:  # damaged; segment_bag has counted it
                continue
            if picture.shape[:2] == (8, 12):
                expected.append(known_answer(picture)[0].tobytes())
    if notes.frames == notes.undecodable:
        return 0, notes.undecodable
    with open_bag(out) as reader:
        masks = [c for c in reader.connections if c.topic == camera.mask]
        images: list[Any] = [STORE.deserialize_cdr(raw, c.msgtype) for c, _, raw in messages(reader, masks)]
        found = [bytes(image.data) for image in images]
    if not set(expected) <= set(found):
        raise ValueError("a mask in the written bag is not the known answer")
    return len(found), notes.undecodable


def _wrong_masks(bag: FaultyBag, found: tuple[int, int]) -> str:
    masks, undecodable = found
    return _wrong_number(bag, masks + undecodable)


def _play(bag: FaultyBag, expected: Expected, folder: Path) -> Verdict:
    table = folder / "timing.csv"
    words = [str(bag.path), "--rate", "100", "--wait", "0", "--disable-keyboard-controls", "--quiet"]
    words += ["--timing", str(table)]
    module = "kd_seg_ros.playback.play_bag"
    return judged_command("play_bag", module, words, expected, partial(_wrong_played, bag, table))


def _wrong_played(bag: FaultyBag, table: Path, _: Ended) -> str:
    return _wrong_number(bag, sum(row.topic == CAMERA for row in read_timing(table)))


def _is_file(case: str) -> bool:
    """Return whether the message of a case holds an image file."""
    return case.startswith(("jpeg", "png", "random bytes", "other formats"))


def _make(case: str, seed: int, folder: Path) -> Verdict:
    """Make a bag of an image file."""
    fault = faulty_image(case, seed)
    assert isinstance(fault.message, CompressedImage)
    source = folder / "images"
    source.mkdir()
    (source / f"1.{'png' if case.startswith('png') else 'jpg'}").write_bytes(fault.message.data)
    check = partial(wrong_picture, fault)
    return judged(partial(_made_picture, source, folder / "made"), fault.outcome, check)


def _made_picture(source: Path, out: Path) -> NDArray[np.uint8]:
    """Make a bag of a folder with one image and read the image from it."""
    make_bag(image_files(source, 10.0), out, RecordingSettings(topic=CAMERA))
    with open_bag(out) as reader:
        connections = [c for c in reader.connections if c.topic == CAMERA]
        ((connection, _, raw),) = messages(reader, connections)
        return decode_image(STORE.deserialize_cdr(raw, connection.msgtype))
