"""A drive as a video: the camera image, and next to it the classes laid over it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from kd_seg_ros.bags.segmented_frames import SegmentedFrame
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.files import reason, refuse_device
from kd_seg_ros.common.picture import RGBImage
from kd_seg_ros.inference.colour_vision import Palette
from kd_seg_ros.inference.legend import Legend
from kd_seg_ros.inference.overlay import blend

PANEL_WIDTH: Final = 640

_CAPTION_HEIGHT: Final = 32
_GIF_WIDTH: Final = 720


def picture(
    image: RGBImage,
    mask: Any,
    palette: Palette,
    caption: str,
    panel: tuple[int, int],
    legend: Legend | None = None,
) -> RGBImage:
    """Draw one picture of a video.

    :param mask: class ids, uint8 [H, W] as the image.
    :param panel: height and width of each of the two halves; images of other proportions get black bars.
    :param legend: drawn below the two halves, and says how classes are hatched; None: neither of the two.
    """
    marks = () if legend is None else legend.marks
    row = np.hstack([letterbox(half, *panel) for half in (image, blend(image, mask, palette, marks=marks))])
    whole = np.vstack([_caption(caption, row.shape[1]), row])
    return whole if legend is None else legend.below(whole, mask)


def pictures_of(
    frames: Iterable[SegmentedFrame],
    palette: Palette,
    hertz: float | None,
    on_frame: Callable[[], None],
    legend: Legend | None = None,
) -> Iterator[RGBImage]:
    """Yield a picture of the video for every segmented frame, with weather, number and rate as its caption.

    :param hertz: images per second of the camera; None: unknown.
    :param on_frame: called after each.
    :param legend: drawn below each picture, and says how classes are hatched; None: neither of the two.
    """
    rate = f"{hertz:.3g} Hz" if hertz else ""
    panel = None
    for frame in frames:
        panel = panel or panel_size(frame.image)
        words = [word for word in (frame.condition, f"frame {frame.number}", rate) if word]
        yield picture(frame.image, frame.mask, palette, "   ".join(words), panel, legend)
        on_frame()


def panel_size(image: RGBImage) -> tuple[int, int]:
    """Return an even height and width for a half of the video that suits an image."""
    height, width = image.shape[:2]
    return 2 * max(1, round(min(PANEL_WIDTH * height / width, PANEL_WIDTH) / 2)), PANEL_WIDTH


def letterbox(picture: RGBImage, height: int, width: int) -> RGBImage:
    """Fit a picture into a black frame of a given size, keeping its proportions."""
    scale = min(height / picture.shape[0], width / picture.shape[1])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    shrinks = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    fitted = cv2.resize(picture, size, interpolation=shrinks)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    frame = np.zeros((height, width, 3), np.uint8)
    frame[top : top + size[1], left : left + size[0]] = fitted
    return frame


def writer_for(path: Path) -> Callable[[Iterable[RGBImage], Path, float], None]:
    """Return what writes a video of this suffix, called as ``write(pictures, path, hertz)``.

    ``.mp4`` is H.264 as every browser plays it, ``.gif`` a small moving picture. The file appears when it is
    whole.

    :raises UserError: if the suffix is another one, the library it needs is not installed, or the file cannot
        be written there.
    """
    if path.suffix not in (".mp4", ".gif"):
        raise UserError(f"{path}: a video's name ends in .mp4 or .gif")
    if path.is_dir():
        raise UserError(f"{path} is a folder: give the name of a file")
    with _making(path) as temporary:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
    try:
        if path.suffix == ".mp4":
            import imageio_ffmpeg

            imageio_ffmpeg.get_ffmpeg_exe()
        else:
            import PIL.Image  # noqa: F401
    except (ImportError, RuntimeError) as error:
        needed = "imageio-ffmpeg, or name a .gif" if path.suffix == ".mp4" else "pillow"
        raise UserError(f"{path}: writing it needs an encoder: pip install {needed}") from error
    return _write_mp4 if path.suffix == ".mp4" else _write_gif


def _write_mp4(pictures: Iterable[RGBImage], path: Path, hertz: float) -> None:
    import imageio_ffmpeg

    source = iter(pictures)
    first = next(source)
    with _making(path) as temporary:
        encoder = imageio_ffmpeg.write_frames(
            str(temporary),
            (first.shape[1], first.shape[0]),
            fps=hertz,
            codec="libx264",
            pix_fmt_out="yuv420p",  # the only one that every browser plays
            quality=None,
            macro_block_size=2,
            ffmpeg_log_level="error",
            output_params=["-crf", "26", "-preset", "veryfast", "-movflags", "+faststart"],
        )
        try:
            encoder.send(None)
            for shown in chain([first], source):
                encoder.send(np.ascontiguousarray(shown))
        except BrokenPipeError as error:
            raise UserError(f"{path} cannot be written: the encoder gave up; is the disk full?") from error
        finally:
            encoder.close()
        temporary.replace(path)


def _write_gif(pictures: Iterable[RGBImage], path: Path, hertz: float) -> None:
    from PIL import Image

    def small() -> Iterator[Image.Image]:
        for shown in pictures:
            height = round(shown.shape[0] * _GIF_WIDTH / shown.shape[1])
            yield Image.fromarray(shown).resize((_GIF_WIDTH, height)).quantize()

    frames = small()
    with _making(path) as temporary:
        next(frames).save(temporary, save_all=True, append_images=frames, duration=1000 / hertz, loop=0)
        temporary.replace(path)


@contextmanager
def _making(path: Path) -> Iterator[Path]:
    """Give the name of a temporary file in the same folder, with the same suffix; nothing of it stays.

    :raises UserError: in place of the system's refusal to write.
    """
    temporary = path.with_name(f".{path.name}")
    try:
        refuse_device(path)
        yield temporary
    except OSError as error:
        raise UserError(f"{path} cannot be written: {reason(error)}") from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def _caption(text: str, width: int) -> RGBImage:
    bar = np.full((_CAPTION_HEIGHT, width, 3), 32, np.uint8)
    shown = text.encode("ascii", "replace").decode()  # all that the font has
    cv2.putText(bar, shown, (12, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (240, 240, 240), 1, cv2.LINE_AA)
    return bar
