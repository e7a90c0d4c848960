"""What ``kd_seg predict`` reads: images, folders, patterns, videos, cameras, streams and bags.

Every source yields frames with a name and a time; a frame that cannot be decoded has a problem instead of
pixels, and the next one is tried.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

from kd_seg_ros.bags.cameras import choose_cameras
from kd_seg_ros.bags.pictures import SUFFIXES, Picture, VideoFrames, image_files
from kd_seg_ros.bags.reading import open_bag
from kd_seg_ros.bags.stream import frames
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.picture import DecodeOptions, RGBImage, turn
from kd_seg_ros.common.suggest import did_you_mean
from kd_seg_ros.predict.live import LiveFrames

FOLDER_HERTZ: Final = 10.0
"""Images per second that are assumed of a folder, for the video."""
_CAMERA: Final = re.compile(r"\d{1,3}")
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_BAG_SUFFIXES: Final = (".mcap", ".db3")


@dataclass(frozen=True)
class Frame:
    """One image of a source."""

    name: str
    """Tells it from the others: the path below the folder, or a number."""
    time: int
    """ns after the first one, or a bag's stamp."""
    image: RGBImage | None
    """RGB, uint8 [H, W, 3]; None if it could not be decoded."""
    problem: str = ""
    """Why not."""


class Source(Protocol):
    """What frames come from."""

    hertz: float
    """Frames per second, for a video of the results."""
    total: int
    """Number of frames; 0: not known."""
    live: bool
    """Frames are lost that come while the network is busy."""

    @property
    def trouble(self) -> str:
        """Why the frames have ended too early; empty if they have not."""

    def frames(self, every: int = 1) -> Iterator[tuple[int, Frame]]:
        """Yield every so many-th frame, the first one included, with its number from 1."""


def open_source(text: str, decoding: DecodeOptions, topic: str | None = None) -> Source:
    """Open what a user has named.

    :param text: an image file, a folder, a pattern such as ``drive/*.png``, a video file, the number of a
        camera, a URL such as ``rtsp://…``, or a rosbag2.
    :param decoding: how images are decoded and turned.
    :param topic: camera topic of a bag; None: its only one.
    :raises UserError: if it is none of these, or cannot be opened.
    """
    path = Path(text)
    is_bag = path.suffix in _BAG_SUFFIXES or (path / "metadata.yaml").exists()
    if topic is not None and not is_bag:
        raise UserError(f"--topic is for bags, and {text} is none")
    if is_bag:
        return BagSource(path, decoding, topic)
    if path.is_dir():
        return ImageSource(image_files(path, FOLDER_HERTZ), decoding)
    if path.exists() or path.is_symlink():
        return _open_file(path, decoding)
    if _CAMERA.fullmatch(text) or _URL.match(text):
        return LiveSource(text, decoding)
    if glob.has_magic(text):
        return ImageSource(_matching(text), decoding)
    raise UserError(f"{text}: no such file or folder{_nearest(path)}")


def _open_file(path: Path, decoding: DecodeOptions) -> Source:
    """Open a single file: an image by its suffix, else a video."""
    if path.exists() and not path.is_file():
        raise UserError(f"{path}: neither a file nor a folder (a camera is given by its number: 0)")
    if path.suffix.lower() in SUFFIXES:
        return ImageSource([Picture(path.name, 0, None, path)], decoding)
    return VideoSource(path, decoding)


def _matching(pattern: str) -> list[Picture]:
    """List the image files that a pattern matches, ``**`` being any number of folders.

    :raises UserError: if there are none.
    """
    # Path.glob takes no absolute patterns.
    found = sorted(Path(name) for name in glob.glob(pattern, recursive=True))  # noqa: PTH207
    files = [path for path in found if path.suffix.lower() in SUFFIXES and not path.is_dir()]
    if not files:
        there = f", only {len(found)} other files" if found else _nearest(Path(pattern))
        raise UserError(f"{pattern}: no {', '.join(SUFFIXES)} files match{there}")
    above = Path(os.path.commonpath([path.parent for path in files]))
    step = round(1e9 / FOLDER_HERTZ)
    return [
        Picture(path.relative_to(above).as_posix(), number * step, None, path)
        for number, path in enumerate(files)
    ]


def _nearest(path: Path) -> str:
    """Return the end of an error message that offers a near name in the same folder."""
    try:
        names = [other.name for other in path.parent.iterdir()]
    except OSError:
        return ""
    return did_you_mean(path.name, names)


class ImageSource:
    """Image files."""

    live = False
    trouble = ""
    hertz = FOLDER_HERTZ

    def __init__(self, pictures: list[Picture], decoding: DecodeOptions) -> None:
        """Take note of the files."""
        self._pictures = pictures
        self._decoding = decoding
        self.total = len(pictures)

    def frames(self, every: int = 1) -> Iterator[tuple[int, Frame]]:
        """Yield the images, upright as Exif says; those that are passed over are not read."""
        for number in range(0, len(self._pictures), every):
            picture = self._pictures[number]
            try:
                image = picture.content(self._decoding).rgb
            except UserError as error:
                yield number + 1, Frame(picture.name, picture.time, None, str(error))
            else:
                yield number + 1, Frame(picture.name, picture.time, image)


class VideoSource:
    """A video file, every frame of it."""

    live = False
    trouble = ""

    def __init__(self, path: Path, decoding: DecodeOptions) -> None:
        """Open the file; raises UserError if OpenCV cannot read it."""
        self._video = VideoFrames(path, None, decoding, FOLDER_HERTZ)
        self._turn = decoding.rotate
        self.hertz = self._video.rate
        self.total = self._video.count

    def frames(self, every: int = 1) -> Iterator[tuple[int, Frame]]:
        """Yield the frames."""
        for number, picture in islice(enumerate(self._video, 1), 0, None, every):
            assert picture.pixels is not None
            yield number, Frame(f"{int(picture.name):06d}", picture.time, turn(picture.pixels, self._turn))


class LiveSource:
    """A camera or a stream: always the newest frame."""

    live = True
    total = 0

    def __init__(self, text: str, decoding: DecodeOptions) -> None:
        """Open it; raises UserError if that fails."""
        self._live = LiveFrames(int(text) if _CAMERA.fullmatch(text) else text, decoding)
        self._turn = decoding.rotate
        self.hertz = self._live.hertz

    @property
    def trouble(self) -> str:
        """Why the stream has stopped before its end; empty if it has not."""
        return self._live.trouble

    def frames(self, every: int = 1) -> Iterator[tuple[int, Frame]]:
        """Yield the newest frame again and again, until the stream ends."""
        with closing(self._live) as live:
            for number, (time_ns, image) in islice(enumerate(live), 0, None, every):
                yield number + 1, Frame(f"{number:06d}", time_ns, turn(image, self._turn))


class BagSource:
    """One camera of a rosbag2."""

    live = False
    trouble = ""

    def __init__(self, path: Path, decoding: DecodeOptions, topic: str | None) -> None:
        """Open the bag and choose the camera; raises UserError if there is none, or a choice to make."""
        self._path = path
        self._decoding = decoding
        with open_bag(path) as reader:
            (self._camera,) = choose_cameras(reader, path, None if topic is None else [topic])
            images = [c for c in reader.connections if c.topic == self._camera.topic]
            self.total = sum(connection.msgcount for connection in images)
            seconds = reader.duration * 1e-9
        self.hertz = min(max((self.total - 1) / seconds if seconds > 0 else 0.0, 1.0), 240.0)

    def frames(self, every: int = 1) -> Iterator[tuple[int, Frame]]:
        """Yield the camera's images."""
        with (
            open_bag(self._path) as reader,
            closing(frames(reader, [self._camera], self._decoding)) as decoded,
        ):
            for number, frame in islice(enumerate(decoded), 0, None, every):
                stamp = frame.stamp if frame.header is not None else frame.log_time
                yield number + 1, Frame(f"{number:06d}", stamp, frame.image, frame.problem)
