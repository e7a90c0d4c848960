"""The drive as a short video."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from distill.common.pictures import RGBImage
from distill.drives.recording import AnsweredFrame
from kd_seg_ros.bags.video import panel_size, picture, writer_for
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.legend import legend_of


def video_pictures(answers: Iterable[AnsweredFrame], card: ModelCard) -> Iterator[RGBImage]:
    """Yield the pictures of a video of frames with images; all have the size that fits the first frame."""
    panel, legend = None, legend_of(card)
    for answer in answers:
        assert answer.image is not None
        panel = panel or panel_size(answer.image)
        words = filter(None, (answer.frame.condition, f"frame {answer.frame.number}"))
        yield picture(answer.image, answer.mask, card.palette, "   ".join(words), panel, legend)


def write_video(pictures: Iterator[RGBImage], folder: Path, hertz: float) -> Path:
    """Write ``drive.mp4`` (H.264), or ``drive.gif`` where no encoder is installed; return its path."""
    path = folder / "drive.mp4"
    try:
        write = writer_for(path)
    except UserError:
        path = folder / "drive.gif"
        write = writer_for(path)
    write(pictures, path, hertz)
    return path
