"""The report: one HTML file that holds all it shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from distill.common.files import write_file
from distill.common.formats import error_percent, percent
from distill.common.html import render
from distill.common.palette import css_backgrounds
from distill.common.pictures import confidence_colours, data_uri, jpeg_uri, png_uri, shrink, shrink_map
from distill.drives.drive import Drive
from distill.drives.node_process import STAGES
from distill.drives.recording import AnsweredFrame
from kd_seg_ros.common.picture import RGBImage
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.colour_vision import Palette, class_marks
from kd_seg_ros.inference.overlay import colorize

_PICTURE_WIDTH: Final = 560
_PICTURES: Final = 8  # rows, shared by the conditions
_EMBEDDED_VIDEO_BYTES: Final = 24_000_000


def choose_frames(drive: Drive, stamps: Collection[int]) -> set[int]:
    """Choose frames to show, evenly spread over each condition; return their numbers."""
    by_condition: dict[str | None, list[int]] = defaultdict(list)
    for stamp, frame in drive.frames.items():
        if stamp in stamps:
            by_condition[frame.condition].append(frame.number)
    chosen: set[int] = set()
    for numbers in by_condition.values():
        rows = min(max(1, _PICTURES // len(by_condition)), len(numbers))
        chosen |= {numbers[int((i + 0.5) * len(numbers) / rows)] for i in range(rows)}
    return chosen


def panels(answer: AnsweredFrame, palette: Palette) -> dict[str, Any]:
    """Turn a frame, which has its image, into the pictures of one row."""
    assert answer.image is not None
    width = _PICTURE_WIDTH
    confidence = np.rint(255 * answer.probability).astype(np.uint8)
    pictures = {"camera": jpeg_uri(shrink(answer.image, width))}
    if answer.labels is not None:
        pictures["labels"] = mask_picture(answer.labels, palette)
    pictures["mask"] = mask_picture(answer.mask, palette)
    pictures["confidence"] = jpeg_uri(confidence_colours(shrink(confidence, width)))
    return {"number": answer.frame.number, "condition": answer.frame.condition, "pictures": pictures}


def mask_picture(mask: NDArray[np.uint8], palette: Palette) -> str:
    """Return class ids [H, W], small, coloured and hatched, as a ``data:`` address."""
    return png_uri(colorize(shrink_map(mask, _PICTURE_WIDTH), palette, class_marks(tuple(palette))))


def write_report(
    path: Path,
    card: ModelCard,
    model: Path,
    metrics: dict[str, Any],
    rows: list[dict[str, Any]],
    video: Path,
    commands: list[str],
) -> None:
    """Write the report.

    :param metrics: the content of metrics.json.
    :param rows: what :func:`panels` returned.
    :param commands: how it was made, one shell command each.
    :raises UserError: if it cannot be written.
    """
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row["condition"] or ""].append(row)
    html = render(
        Path(__file__).with_name("report.html.j2"),
        {"percent": percent, "error_percent": error_percent},
        card=card,
        model={"file": model.name, "megabytes": model.stat().st_size / 1e6},
        metrics=metrics,
        looks=css_backgrounds(card.palette),
        conditions=[name for name in metrics["observed"] if name != "full"],
        stages=STAGES,
        groups=groups,
        scale=png_uri(_confidence_scale()),
        video=_video_source(video),
        commands=commands,
    )
    write_file(path, html)


def _confidence_scale() -> RGBImage:
    """Draw the colours of the confidence from 0 to 1, for a legend."""
    row = confidence_colours(np.arange(256, dtype=np.uint8)[None])
    return np.repeat(row, 12, axis=0)


def _video_source(video: Path) -> dict[str, Any]:
    """Return where the report finds the video: in itself, or next to it when it is large."""
    kind = "video/mp4" if video.suffix == ".mp4" else "image/gif"
    embedded = video.stat().st_size <= _EMBEDDED_VIDEO_BYTES
    return {
        "source": data_uri(kind, video.read_bytes()) if embedded else video.name,
        "is_picture": kind == "image/gif",
    }
