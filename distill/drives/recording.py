"""Reading back what was recorded of a node: its maps in pairs; whether their headers keep the contract."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from distill.drives.output_topics import OutputTopics
from distill.drives.processes import ReplayError
from kd_seg_ros.bags.messages import parsed_messages, stamp_of, stamp_text
from kd_seg_ros.playback.play_bag import open_bag


class Sent(Protocol):
    """What is known of a frame that was sent."""

    @property
    def frame_id(self) -> str:
        """As in its header."""


class RecordedMaps(NamedTuple):
    """The two answers to a frame, as messages."""

    stamp: int
    mask: Any
    confidence: Any


def answered_stamps(recording: Path, outputs: OutputTopics, sent: Mapping[int, Sent]) -> set[int]:
    """Return the header stamps (ns) of the frames that have a mask and a confidence map.

    :param sent: the frames by header stamp.
    :raises ReplayError: if the node's headers break the contract: a stamp that no frame has, one that
        comes twice, or a frame_id that is not the frame's.
    """
    stamps: dict[str, set[int]] = {outputs.mask: set(), outputs.confidence: set()}
    with open_bag(recording) as reader:
        for topic, _, message in parsed_messages(reader, stamps):
            stamp = stamp_of(message)
            frame = sent.get(stamp)
            where = f"{topic} at {stamp_text(stamp)}"
            if frame is None:
                raise ReplayError(f"{where}: no frame of the drive has this stamp")
            if stamp in stamps[topic]:
                raise ReplayError(f"{where}: published twice")
            if message.header.frame_id != frame.frame_id:
                raise ReplayError(f"{where}: frame_id {message.header.frame_id!r}, not {frame.frame_id!r}")
            stamps[topic].add(stamp)
    return stamps[outputs.mask] & stamps[outputs.confidence]


def recorded_maps(recording: Path, outputs: OutputTopics, stamps: Collection[int]) -> Iterator[RecordedMaps]:
    """Yield mask and confidence of the frames asked for, each pair as soon as both have come."""
    waiting: dict[int, dict[str, Any]] = {}
    with open_bag(recording) as reader:
        for topic, _, message in parsed_messages(reader, (outputs.mask, outputs.confidence)):
            stamp = stamp_of(message)
            if stamp not in stamps:
                continue
            pair = waiting.setdefault(stamp, {})
            pair[topic] = message
            if len(pair) == 2:
                del waiting[stamp]
                yield RecordedMaps(stamp, pair[outputs.mask], pair[outputs.confidence])
