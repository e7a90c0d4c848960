"""The drive as a short video: the camera beside the classes laid over it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from pictures import letterbox
from recording import Answer

from distill.pictures import RGBImage
from kd_seg_ros.overlay import Palette, blend

_PANEL_WIDTH: Final = 640
_CAPTION_HEIGHT: Final = 32
_GIF_WIDTH: Final = 720


def video_pictures(answers: Iterable[Answer], palette: Palette) -> Iterator[RGBImage]:
    """Yield the pictures of the video, all of the size that fits the first frame."""
    size = None
    for answer in answers:
        if size is None:
            height, width = answer.image.shape[:2]
            size = (2 * max(1, round(min(_PANEL_WIDTH * height / width, _PANEL_WIDTH) / 2)), _PANEL_WIDTH)
        panels = [answer.image, blend(answer.image, answer.mask, palette)]
        row = np.hstack([letterbox(panel, *size) for panel in panels])
        yield np.vstack([_caption(answer, row.shape[1]), row])


def write_video(pictures: Iterator[RGBImage], folder: Path, hertz: float) -> Path:
    """Write ``drive.mp4`` (H.264), or ``drive.gif`` where no encoder is installed; return its path."""
    try:
        import imageio_ffmpeg

        imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        return _write_gif(pictures, folder / "drive.gif", hertz)
    return _write_mp4(pictures, folder / "drive.mp4", hertz)


def _write_mp4(pictures: Iterator[RGBImage], path: Path, hertz: float) -> Path:
    import imageio_ffmpeg

    first = next(pictures)
    encoder = imageio_ffmpeg.write_frames(
        str(path),
        (first.shape[1], first.shape[0]),
        fps=hertz,
        codec="libx264",
        pix_fmt_out="yuv420p",  # the only one that every browser plays
        quality=None,
        macro_block_size=2,
        ffmpeg_log_level="error",
        output_params=["-crf", "26", "-preset", "veryfast", "-movflags", "+faststart"],
    )
    encoder.send(None)
    for picture in chain([first], pictures):
        encoder.send(np.ascontiguousarray(picture))
    encoder.close()
    return path


def _write_gif(pictures: Iterator[RGBImage], path: Path, hertz: float) -> Path:
    from PIL import Image

    def small() -> Iterator[Image.Image]:
        for picture in pictures:
            height = round(picture.shape[0] * _GIF_WIDTH / picture.shape[1])
            yield Image.fromarray(picture).resize((_GIF_WIDTH, height)).quantize()

    frames = small()
    next(frames).save(path, save_all=True, append_images=frames, duration=1000 / hertz, loop=0)
    return path


def _caption(answer: Answer, width: int) -> RGBImage:
    bar = np.full((_CAPTION_HEIGHT, width, 3), 32, np.uint8)
    words = [answer.info.condition or "", f"frame {answer.info.number}"]
    text = "   ".join(filter(None, words)).encode("ascii", "replace").decode()  # all that the font has
    cv2.putText(bar, text, (12, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (240, 240, 240), 1, cv2.LINE_AA)
    return bar
