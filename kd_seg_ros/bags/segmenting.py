"""Every frame of a bag through the network and into another bag.

Reading and decoding, inference, and writing run side by side; the calling thread does the inference. Frames
keep their order and none is left out: what cannot be decoded is counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from kd_seg_ros.bags.bag_reader import BagReader
from kd_seg_ros.bags.cameras import CameraTopics
from kd_seg_ros.bags.messages import IMAGE, RELIABLE, STORE, image_cdr
from kd_seg_ros.bags.pipeline import BackgroundWorker
from kd_seg_ros.bags.resumable_bag import ResumableBag, Topic
from kd_seg_ros.bags.stream import DEPTH, DecodedFrame, DecodedStep, decoded_steps
from kd_seg_ros.bags.summary import FrameTable
from kd_seg_ros.common.encodings import BGR8, MONO8
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.picture import DECODE_DEFAULTS, DecodeOptions
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.drivable import DrivableArea
from kd_seg_ros.inference.engine import Engine, Prediction
from kd_seg_ros.inference.legend import Legend
from kd_seg_ros.inference.named_thresholds import named_threshold
from kd_seg_ros.inference.overlay import blend
from kd_seg_ros.inference.thresholds import MinConfidenceLevels

_FEWEST, _MOST = 10, 300
"""Least and largest number of frames in a part of the output."""


def topics_to_copy(
    reader: BagReader, bag: Path, cameras: Sequence[CameraTopics], wanted: Sequence[str]
) -> list[str]:
    """Return the topics of the input to copy, sorted.

    :param wanted: their names; empty: all except those that the segmentation itself writes.
    :raises UserError: if one is not in the bag, or has the name of a topic that is written.
    """
    written = set[str]()
    for camera in cameras:
        written |= {camera.mask, camera.confidence, camera.drivable, camera.overlay}
    known = {c.topic for c in reader.connections if c.msgcount}
    missing = sorted(set(wanted) - known)
    if missing:
        raise UserError(f"--copy {missing[0]}: not in {bag}, which has {', '.join(sorted(known))}")
    clash = sorted(set(wanted) & written)
    if clash:
        raise UserError(f"--copy {clash[0]}: a topic of this name is written here")
    return sorted(wanted or known - written)


@dataclass
class Notes:
    """How far a segmentation has got; kept in the bag that it writes."""

    command: dict[str, Any]
    """All that the output depends on; only a run of the same command may be resumed."""
    messages: int = 0
    """Number of the input's messages that have been dealt with."""
    frames: int = 0
    """Number of images among them, including those that could not be decoded."""
    undecodable: int = 0
    problem: str = ""
    """Why the first undecodable image could not be decoded."""
    backwards: int = 0
    """Frames whose header stamp is before that of the frame before."""
    stamps: dict[str, int] = field(default_factory=dict)
    """Topic → last header stamp, ns."""
    sizes: list[list[int]] = field(default_factory=list)
    """Heights and widths of the images that came."""
    times: dict[str, list[int]] = field(default_factory=dict)
    """Topic → number of images segmented, log time (ns) of the first and of the last."""
    csv_bytes: int = 0
    finished: bool = False

    def rate(self, topic: str) -> float | None:
        """Return a topic's images per second; None where it cannot be told."""
        count, first, last = self.times.get(topic, (0, 0, 0))
        return (count - 1) / ((last - first) * 1e-9) if last > first else None


class Output:
    """Writes maps, overlays, copies and the table; one thread calls it."""

    def __init__(
        self,
        bag: ResumableBag,
        notes: Notes,
        card: ModelCard,
        table: FrameTable | None,
        legend: Legend | None = None,
        drivable: DrivableArea | None = None,
    ) -> None:
        """Continue from some notes.

        :param table: written next to the bag; None: none is.
        :param legend: of the overlay, which says how classes are hatched; None: no overlay is written.
        :param drivable: which pixels are drivable; None: no map of them is written.
        """
        self.notes = notes
        self._drivable = drivable
        self._bag, self._card, self._table = bag, card, table
        self._legend = legend
        self._committed = notes.frames
        self._last = 0

    def add(self, step: DecodedStep, prediction: Prediction | None, inference_ms: float) -> None:
        """Write a step of the bag with the prediction for its frame; finish a part that is long enough.

        :raises UserError: if it cannot be written.
        """
        # Readers sort the messages of a part by log time. Where the input's clock was set back, a new part
        # begins, so that the frames keep the input's order.
        if step.frame:
            if step.frame.log_time < self._last:
                self.commit()
            self._last = step.frame.log_time
        for topic, log_time, raw in step.copies:
            self._bag.write(topic, log_time, raw)
        if step.frame:
            self._add_frame(step.frame, prediction, inference_ms)
        self.notes.messages += step.messages
        if self.notes.frames - self._committed >= part_length(self._committed):
            self.commit()

    def commit(self, finished: bool = False) -> None:
        """Keep what has been written, whatever happens later."""
        if self._table:
            self.notes.csv_bytes = self._table.flush()
        self.notes.finished = finished
        self._bag.commit(asdict(self.notes))
        self._committed = self.notes.frames

    def _add_frame(self, frame: DecodedFrame, prediction: Prediction | None, inference_ms: float) -> None:
        notes = self.notes
        notes.frames += 1
        if prediction is None or frame.image is None:
            notes.undecodable += 1
            notes.problem = notes.problem or f"frame {notes.frames}, {frame.camera.topic}: {frame.problem}"
            return
        camera, stamp = frame.camera, frame.stamp
        notes.backwards += stamp < notes.stamps.get(camera.topic, stamp)
        notes.stamps[camera.topic] = stamp
        count, first, _ = notes.times.get(camera.topic, (0, frame.log_time, 0))
        notes.times[camera.topic] = [count + 1, first, frame.log_time]
        size = [*frame.image.shape[:2]]
        if size not in notes.sizes:
            notes.sizes.append(size)
        maps = [(camera.mask, prediction.mask), (camera.confidence, prediction.confidence)]
        if self._drivable:
            maps.append((camera.drivable, self._drivable.draw(prediction.mask, prediction.confidence)))
        for topic, pixels in maps:
            self._bag.write(topic, frame.log_time, image_cdr(frame.header, pixels, MONO8))
        if self._legend is not None:
            picture = blend(frame.image, prediction.mask, self._card.palette, marks=self._legend.marks)
            self._legend.draw_over(picture, prediction.mask)
            self._bag.write(camera.overlay, frame.log_time, image_cdr(frame.header, picture[..., ::-1], BGR8))
        if self._table:
            latency = frame.decode_ms + inference_ms
            self._table.add(notes.frames, stamp, camera.topic, prediction, latency)


def segment(
    reader: BagReader,
    cameras: Sequence[CameraTopics],
    copied: Sequence[str],
    engine: Engine,
    output: Output,
    min_confidence: float | str = 0.0,
    decoding: DecodeOptions = DECODE_DEFAULTS,
    stop: Callable[[], bool] = lambda: False,
    on_frame: Callable[[], None] = lambda: None,
) -> bool:
    """Segment the frames that come after those of ``output.notes``; return whether the end was reached.

    :param copied: topics to copy.
    :param min_confidence: pixels below it lose their class; a number or rules of the model card.
    :param decoding: how images are decoded.
    :param stop: asked after every frame; when it says so, what is done is kept and this returns.
    :raises UserError: if the bag turns out to be damaged, the network fails or the output cannot be written.
        What was done before is kept; in the last case, what was committed.
    """
    # One thread writes everything: SQLite wants that.
    writer = BackgroundWorker[Callable[[], None]](_call, DEPTH)
    levels = named_threshold(min_confidence, engine.card).levels
    reached = False
    try:
        skip = output.notes.messages
        with closing(decoded_steps(reader, cameras, copied, skip, decoding)) as steps:
            for step in steps:
                writer.put(partial(output.add, step, *_predict(step.frame, engine, levels)))
                if step.frame:
                    on_frame()
                if stop():
                    break
            else:
                reached = True
    finally:
        if not writer.failed:
            writer.put(partial(output.commit, reached))
        writer.close()
    return reached


def _call(task: Callable[[], None]) -> None:
    task()


def _predict(
    frame: DecodedFrame | None, engine: Engine, levels: MinConfidenceLevels
) -> tuple[Prediction | None, float]:
    if frame is None or frame.image is None:
        return None, 0.0
    start = time.perf_counter()
    found = engine.segment(frame.image, min_confidence=levels)
    return found, 1e3 * (time.perf_counter() - start)


def part_length(frames: int) -> int:
    """Return how many frames the part after so many has.

    A process that is killed loses at most a tenth of its work, and a long drive has few files.
    """
    return min(_MOST, max(_FEWEST, frames // 10))


def output_topics(
    reader: BagReader, cameras: Sequence[CameraTopics], copied: Sequence[str], overlay: bool, drivable: bool
) -> list[Topic]:
    """List what the output has: maps, overlay and copies under their own names."""
    names: list[str] = []
    for camera in cameras:
        names += [camera.mask, camera.confidence]
        if drivable:
            names.append(camera.drivable)
        if overlay:
            names.append(camera.overlay)
    definition, _ = STORE.generate_msgdef(IMAGE, ros_version=2)
    made = [Topic(name, IMAGE, definition, STORE.hash_rihs01(IMAGE), [RELIABLE]) for name in names]
    return made + [_copied_topic(reader, name) for name in copied]


_NO_DIGEST: Final = "RIHS01_" + 64 * "0"


def _copied_topic(reader: BagReader, name: str) -> Topic:
    """Describe a topic as its bag does; what an older bag does not say comes from the types known here."""
    found = [c for c in reader.connections if c.topic == name]
    connection = next((c for c in found if c.msgcount), found[0])
    definition, digest = connection.msgdef.data, connection.digest
    if connection.msgtype in STORE.types:
        definition = definition or STORE.generate_msgdef(connection.msgtype, ros_version=2)[0]
        digest = digest or STORE.hash_rihs01(connection.msgtype)
    offers = [qos for c in found for qos in c.ext.offered_qos_profiles]  # type: ignore[union-attr]
    return Topic(name, connection.msgtype, definition, digest or _NO_DIGEST, offers)
