"""The frames of a bag in its order, read and decoded ahead of their use."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, Final

from kd_seg_ros.bags.bag_reader import BagReader
from kd_seg_ros.bags.cameras import CameraTopics, connections_of
from kd_seg_ros.bags.messages import COMPRESSED_IMAGE, IMAGE, STORE, stamp_of
from kd_seg_ros.bags.pipeline import parallel_map, prefetched
from kd_seg_ros.bags.reading import messages
from kd_seg_ros.common.decode import decode_compressed, decode_image
from kd_seg_ros.common.errors import first_line
from kd_seg_ros.common.picture import DecodeError, DecodeOptions, RGBImage

DEPTH: Final = 4
"""Number of frames that are read ahead, decoded ahead and waiting to be written, each."""

_MOST_COPIES: Final = 1000


@dataclass(frozen=True)
class Step:
    """A stretch of the bag: messages to copy, then an image."""

    messages: int
    """Number of messages in this stretch."""
    copies: Sequence[tuple[str, int, bytes]]
    """Messages to copy: topic, log time (ns) and CDR."""
    frame: RawFrame | None
    """The image; None at the end of the bag, or where very many messages come without one."""


@dataclass(frozen=True)
class RawFrame:
    """An image message as it stands in the bag."""

    camera: CameraTopics
    log_time: int
    raw: bytes


@dataclass(frozen=True)
class DecodedFrame:
    """An image message, decoded."""

    camera: CameraTopics
    log_time: int
    """Log time, ns."""
    header: Any
    """The message's header; None where not even that can be read."""
    image: RGBImage | None
    """RGB, uint8 [H, W, 3]; None where it cannot be decoded."""
    problem: str = ""
    """Why the image cannot be decoded."""
    decode_ms: float = 0.0

    @property
    def stamp(self) -> int:
        """Header stamp in ns; there must be a header."""
        return stamp_of(self)


@dataclass(frozen=True)
class DecodedStep:
    """A :class:`Step` with its frame decoded."""

    messages: int
    copies: Sequence[tuple[str, int, bytes]] = field(repr=False)
    frame: DecodedFrame | None


def decoded_steps(
    reader: BagReader,
    cameras: Sequence[CameraTopics],
    copied: Collection[str],
    skip: int,
    decoding: DecodeOptions,
) -> Generator[DecodedStep, None, None]:
    """Yield the bag step by step; reading and decoding run ahead in threads.

    :param copied: topics to copy; may hold cameras' topics, too.
    :param skip: number of messages of those topics that an earlier run has dealt with.
    :param decoding: how images are decoded.
    :raises UserError: if the bag turns out to be damaged, after the messages before the damage.
    """
    workers = min(4, os.cpu_count() or 1)
    with closing(prefetched(_steps(reader, cameras, copied, skip), DEPTH)) as steps:
        yield from parallel_map(partial(_decode_step, decoding), steps, workers, DEPTH)


def frames(
    reader: BagReader, cameras: Sequence[CameraTopics], decoding: DecodeOptions
) -> Generator[DecodedFrame, None, None]:
    """Yield the frames alone, those that cannot be decoded among them."""
    with closing(decoded_steps(reader, cameras, (), 0, decoding)) as steps:
        yield from (step.frame for step in steps if step.frame)


def _steps(
    reader: BagReader, cameras: Sequence[CameraTopics], copied: Collection[str], skip: int
) -> Generator[Step, None, None]:
    by_topic = {camera.topic: camera for camera in cameras}
    connections = connections_of(reader, {*by_topic, *copied})
    count, copies = 0, list[tuple[str, int, bytes]]()
    for connection, log_time, raw in islice(messages(reader, connections), skip, None):
        count += 1
        if connection.topic in copied:
            copies.append((connection.topic, log_time, raw))
        camera = by_topic.get(connection.topic)
        if camera or len(copies) >= _MOST_COPIES:
            yield Step(count, copies, RawFrame(camera, log_time, raw) if camera else None)
            count, copies = 0, []
    if count:
        yield Step(count, copies, None)


def _decode_step(decoding: DecodeOptions, step: Step) -> DecodedStep:
    return DecodedStep(step.messages, step.copies, decode(step.frame, decoding) if step.frame else None)


def decode(frame: RawFrame, decoding: DecodeOptions) -> DecodedFrame:
    """Decode a frame; what is wrong with it ends in its ``problem``."""
    start = time.perf_counter()
    header = image = None
    problem = ""
    try:
        message = STORE.deserialize_cdr(frame.raw, COMPRESSED_IMAGE if frame.camera.compressed else IMAGE)
        header = message.header  # type: ignore[attr-defined]
        read = decode_compressed if frame.camera.compressed else decode_image
        image = read(message, decoding)
    except DecodeError as error:
        problem = str(error)
    except Exception as error:  # what a damaged message raises depends on where the damage is
        problem = f"the message is damaged: {first_line(error)}"
    milliseconds = 1e3 * (time.perf_counter() - start)
    return DecodedFrame(frame.camera, frame.log_time, header, image, problem, milliseconds)
