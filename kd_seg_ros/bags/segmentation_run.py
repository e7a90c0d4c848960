"""Segmenting a bag into another one, from the beginning or from where an interrupted run stopped."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kd_seg_ros.bags.bag_reader import BagReader
from kd_seg_ros.bags.cameras import CameraTopics
from kd_seg_ros.bags.progress import Progress
from kd_seg_ros.bags.resumable_bag import ResumableBag
from kd_seg_ros.bags.resume_check import check_resume, fingerprint
from kd_seg_ros.bags.segmented_frames import last_masks
from kd_seg_ros.bags.segmenting import Notes, Output, output_topics, segment, topics_to_copy
from kd_seg_ros.bags.summary import FrameTable
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.picture import DECODE_DEFAULTS, DecodeOptions
from kd_seg_ros.common.picture_options import ALL, NONE
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.drivable import DrivableArea, drivable_area, require_classes
from kd_seg_ros.inference.engine import Engine
from kd_seg_ros.inference.legend import legend_of
from kd_seg_ros.inference.named_thresholds import named_threshold

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class SegmentationSettings:
    """What a segmentation of a bag writes, where and how."""

    out: Path
    """Folder of the bag to write."""
    provider: str
    """ONNX Runtime's provider that was asked for."""
    overlay: bool = False
    """Also write the camera image with the classes laid over it."""
    marks: bool = True
    """Hatch, in the overlay, classes whose colours some readers confuse."""
    legend: str = ALL
    """What the overlay's legend lists, one of :data:`kd_seg_ros.common.picture_options.LEGENDS`."""
    drivable: str = ""
    """Classes of which a map of drivable pixels is written, too; empty: none is."""
    min_confidence: float | str = 0.0
    """Pixels with a lower confidence, 0…1, get no class; a text names rules of the model card."""
    copy: Sequence[str] | None = None
    """Topics of the input to copy; empty: all of them; None: none."""
    storage: str = "mcap"
    """File format: mcap or sqlite3."""
    compress: bool = False
    """Compress the chunks of an MCAP file by zstd."""
    csv: Path | None = None
    """Table to write, one line per frame."""
    decoding: DecodeOptions = DECODE_DEFAULTS
    """How images are decoded and turned."""
    overwrite: bool = False
    """Replace what an earlier run has written."""

    def __post_init__(self) -> None:
        if self.compress and self.storage != "mcap":
            raise UserError("--compress is for --storage mcap: SQLite files have no compression of their own")


def segment_bag(
    bag: Path,
    reader: BagReader,
    cameras: Sequence[CameraTopics],
    engine: Engine,
    settings: SegmentationSettings,
    stop: Callable[[], bool] = lambda: False,
) -> Notes:
    """Segment all frames of an open bag that are not segmented yet; return how far it got.

    :param engine: a run is resumed only with the same model file, by its SHA-256.
    :param stop: asked after every frame; when it says so, what is done is kept and this returns.
    :raises UserError: if the output is in the way or cannot be written, the bag turns out to be damaged, or
        the network fails. What was done before is kept.
    """
    area = _drivable_area(settings, engine.card)
    copied = [] if settings.copy is None else topics_to_copy(reader, bag, cameras, settings.copy)
    command = _command(bag, reader, cameras, engine, settings, copied)
    kept = check_resume(settings.out, command, bag, settings.overwrite)
    notes = Notes(**kept) if kept else Notes(command)
    if notes.finished:
        LOGGER.info("%s is finished already: %d frames", settings.out, notes.frames)
        return notes
    topics = {camera.topic for camera in cameras}
    total = sum(c.msgcount for c in reader.connections if c.topic in topics)
    if notes.frames:
        LOGGER.info("continuing after frame %d of %d", notes.frames, total)
    written = output_topics(reader, cameras, copied, settings.overlay, area is not None)
    progress = Progress("segmenting", total, notes.frames)
    storage, compress, overwrite = settings.storage, settings.compress, settings.overwrite
    with ResumableBag(settings.out, written, storage, compress, vars(notes), overwrite) as out:
        notes = Notes(**out.notes)  # until a moment ago another process may have written to it
        table = None
        if settings.csv:
            table = FrameTable(settings.csv, engine.card, notes.csv_bytes, consecutive=True)
            if notes.csv_bytes:
                table.continue_after(last_masks(settings.out, cameras, notes.times))
        legend = legend_of(engine.card, settings.legend, settings.marks) if settings.overlay else None
        output = Output(out, notes, engine.card, table, legend, area)
        try:
            segment(
                reader,
                cameras,
                copied,
                engine,
                output,
                settings.min_confidence,
                settings.decoding,
                stop,
                progress.step,
            )
        except UserError as error:
            done = out.notes["frames"]
            so_far = f" (frames 1 to {done} of {total} are in {settings.out})" if done else ""
            raise UserError(f"{error}{so_far}") from error
        finally:
            progress.close()
            if table:
                table.close()
    if table and table.flipped is not None:
        LOGGER.info(
            "%.2f %% of the pixels change their class from a frame to the next; motion counts, too",
            100 * table.flipped,
        )
    return notes


def _drivable_area(settings: SegmentationSettings, card: ModelCard) -> DrivableArea | None:
    """Return which pixels are drivable, if that is asked for; refuse thresholds that the model has not."""
    try:
        named_threshold(settings.min_confidence, card)
    except UserError as error:
        raise UserError(f"--min-confidence: {error}") from error
    if not settings.drivable:
        return None
    try:
        return drivable_area(require_classes(settings.drivable, card), "", card)
    except UserError as error:
        raise UserError(f"--drivable: {error}") from error


def _overlay(settings: SegmentationSettings) -> str | bool:
    """Describe the overlay; one without a legend as versions did that had none."""
    if not settings.overlay:
        return False
    if settings.legend != NONE:
        return f"{'hatched, ' if settings.marks else ''}legend of {settings.legend}"
    return "hatched" if settings.marks else True


def log_oddities(notes: Notes) -> None:
    """Warn of what was odd about the images of a bag: undecodable, late or of several sizes."""
    if notes.undecodable:
        LOGGER.warning(f"{notes.undecodable} frames could not be decoded and have no mask: {notes.problem}")
    if notes.backwards:
        LOGGER.warning(f"{notes.backwards} header stamps go back in time; kept as they are")
    if len(notes.sizes) > 1:
        sizes = ", ".join(f"{width}×{height}" for height, width in notes.sizes)
        LOGGER.warning(f"images of several sizes ({sizes}): the network sees each stretched to its own")


def _command(
    bag: Path,
    reader: BagReader,
    cameras: Sequence[CameraTopics],
    engine: Engine,
    settings: SegmentationSettings,
    copied: Sequence[str],
) -> dict[str, Any]:
    """Describe a run by all that its output depends on; only a run of the same description is resumed."""
    return {
        "the input": fingerprint(reader, bag),
        "the model": engine.sha256,
        "--provider": settings.provider,
        "--topic": [camera.topic for camera in cameras],
        "--copy": list(copied),
        "--overlay": _overlay(settings),
        "--drivable": settings.drivable or None,  # as in bags of versions before it existed
        "--min-confidence": settings.min_confidence,
        "--rotate": settings.decoding.rotate,
        "--white-level": settings.decoding.white_level,
        "--max-image-megapixels": settings.decoding.max_megapixels,
        "--storage": settings.storage,
        "--compress": settings.compress,
        "--csv": str(settings.csv.resolve()) if settings.csv else "",
    }
