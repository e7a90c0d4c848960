"""The images of a rosbag2's topic as a data set without labels: where each message is, and its pixels.

A bag stays as it is: nothing is unpacked to disk. Each process that loads images keeps the bags that it reads
open, and finds a message by its log time.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kd_seg_ros.common.decode import decode_compressed, decode_image
from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.common.picture import DecodeError

if TYPE_CHECKING:
    from kd_seg_ros.bags.bag_reader import BagReader

OPEN_BAGS = 8
"""Number of bags that a process keeps open."""


@dataclass(frozen=True)
class BagMessage:
    """Where an image lies in a bag."""

    bag: Path
    """The bag: its folder, or one file of it."""
    topic: str
    """Topic of the image."""
    time: int
    """Log time of the message, ns."""

    @property
    def name(self) -> Path:
        """A path that names the image in messages and results; there is no such file."""
        return self.bag / f"{self.topic.strip('/')}@{self.time}"


def list_messages(bag: Path, topic: str) -> list[BagMessage]:
    """Find the images of a topic, in the order of their log times; of several at one time the first.

    :param topic: with or without ``/compressed``.
    :raises UserError: if the bag cannot be read or has no images on the topic, naming those that it has.
    """
    from kd_seg_ros.bags.cameras import find_image_topic
    from kd_seg_ros.bags.reading import chosen_connections, image_topics, messages, open_bag

    with open_bag(bag) as reader:
        known = image_topics(reader)
        found = find_image_topic(topic, known)
        if found is None:
            there = ", ".join(sorted(known)) or "no images"
            raise UserError(f"topic {topic}: {bag} has no images on it; it has {there}")
        times = [time for _, time, _ in messages(reader, chosen_connections(reader, [found]))]
    return [BagMessage(bag, found, time) for time in dict.fromkeys(times)]


def read_message(message: BagMessage) -> npt.NDArray[np.uint8]:
    """Return the pixels of an image, RGB [H, W, 3].

    :raises UserError: naming the bag and the message, if it cannot be read or decoded.
    """
    from kd_seg_ros.bags.messages import COMPRESSED_IMAGE, STORE

    type_name, raw = _find(message)
    try:
        value = STORE.deserialize_cdr(raw, type_name)
        decode = decode_compressed if type_name == COMPRESSED_IMAGE else decode_image
        pixels: npt.NDArray[np.uint8] = decode(value)
    except (DecodeError, ValueError) as error:
        raise UserError(f"image {message.name} cannot be read: {first_line(error)}") from error
    return np.array(pixels)  # not a view of the message, which cannot be written to


def raw_message(message: BagMessage) -> bytes:
    """Return an image's message as the bag holds it, serialised.

    :raises UserError: naming the bag and the message, if it cannot be read.
    """
    return _find(message)[1]


def _find(message: BagMessage) -> tuple[str, bytes]:
    """Return the type and the serialised content of a message; raises UserError if it cannot be read."""
    reader = _open_reader(message.bag, os.getpid())
    connections = [c for c in reader.connections if c.topic == message.topic]
    try:
        connection, _, raw = next(reader.messages(connections, message.time, message.time + 1))
    except (StopIteration, ValueError, OSError) as error:
        reason = first_line(error) if str(error) else "it is not there any more"
        raise UserError(f"image {message.name} cannot be read: {reason}") from error
    return connection.msgtype, raw


@lru_cache(OPEN_BAGS)
def _open_reader(bag: Path, _process: int) -> BagReader:
    """Open a bag, once in each process: a forked one must not read through its parent's file."""
    from kd_seg_ros.bags.bag_reader import BagReader

    return BagReader(bag)
