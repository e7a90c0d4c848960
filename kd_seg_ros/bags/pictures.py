"""Pictures to make a bag of: image files with their frame numbers, or a video's frames.

A frame's number gives its time. ACDC's ``GOPR0475_frame_000041_rgb_anon.png`` is number 41; of other
names the last digits count. Numbers as great as the nanoseconds, microseconds or milliseconds since 1970 are
those. A folder whose names have no rising numbers is counted from 0, and so is everything on request. Every
folder begins one second after the one before it.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Final, NamedTuple

import cv2
import numpy as np

from kd_seg_ros.common.conditions import CONDITIONS
from kd_seg_ros.common.decode import decode_compressed
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.exif import orientation, upright
from kd_seg_ros.common.picture import DECODE_DEFAULTS, DecodeError, DecodeOptions, RGBImage, check_size

LOGGER = logging.getLogger(__name__)

SUFFIXES: Final = (".png", ".jpg", ".jpeg")
_OTHER_SUFFIXES: Final = (".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".pgm", ".jp2", ".heic", ".avif")
"""Images that are left out with a warning."""
_MOST_BYTES_PER_PIXEL: Final = 10
"""No picture's file is larger: 16 bits of red, green, blue and alpha, not compressed, take 8."""

_PAUSE_NS: Final = 10**9


@dataclass(frozen=True)
class Picture:
    """An image that becomes a frame of a bag."""

    name: str
    """The file's path below the source, or the frame's number in a video."""
    time: int
    """Time after the first picture, ns."""
    condition: str | None
    """The weather, where a folder above the file has the name of one of ACDC's conditions."""
    file: Path | None
    """Image file; None for a frame of a video, which has its pixels here."""
    pixels: RGBImage | None = None

    def content(self, decoding: DecodeOptions) -> PictureContent:
        """Decode the picture, upright: turned as its file's Exif orientation says.

        :raises UserError: naming the file, if it cannot be read, is damaged or above the limit.
        """
        if self.file is None:
            assert self.pixels is not None
            return PictureContent(self.pixels, "jpeg", None)
        try:
            if self.file.stat().st_size > _MOST_BYTES_PER_PIXEL * decoding.max_megapixels * 1e6:
                raise DecodeError(f"larger than an image of {decoding.max_megapixels:g} megapixels can be")
            data = self.file.read_bytes()
            kind = "png" if self.file.suffix.lower() == ".png" else "jpeg"
            rgb = decode_compressed(_File(kind, data), decoding)
            number = orientation(data, decoding)
        except OSError as error:
            raise UserError(f"{self.file}: cannot be read: {error.strerror}") from error
        except DecodeError as error:
            raise UserError(f"{self.file}: {error}") from error
        if number != 1:  # without loss, so that the pixels are the same whatever they are written as
            return PictureContent(upright(rgb, number), "png", None)
        return PictureContent(rgb, kind, data)


class PictureContent(NamedTuple):
    """A picture's pixels, and the file's bytes where they show the same."""

    rgb: RGBImage
    kind: str
    """How it is to be compressed: ``jpeg`` or ``png``."""
    file_bytes: bytes | None
    """Content of the file; None for a frame of a video, or if the file shows the picture turned."""


class _File(NamedTuple):
    """The bytes of an image file, with the fields of a ``CompressedImage``."""

    format: str
    data: bytes


def image_files(folder: Path, rate: float, consecutive: bool = False) -> list[Picture]:
    """List the images in a folder and those below it, sorted as people do (``2.png`` before ``10.png``).

    :param rate: frame numbers per second.
    :param consecutive: count them one by one, whatever their names say.
    :raises UserError: if there are none.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: {'not a folder' if folder.exists() else 'no such folder'}")
    found = _files_below(folder)
    files = [file for file in found if file.suffix.lower() in SUFFIXES]
    files.sort(key=lambda file: _natural(file.relative_to(folder)))
    others = sorted({file.suffix for file in found if file.suffix.lower() in _OTHER_SUFFIXES})
    if not files:
        there = f", only {', '.join(others)}: convert them" if others else ""
        raise UserError(f"{folder}: no {', '.join(SUFFIXES)} files in it{there}")
    if others:
        LOGGER.warning("%s: files of %s are left out: convert them to .png", folder, ", ".join(others))
    pictures: list[Picture] = []
    start = 0
    for _, group in groupby(files, lambda file: file.parent):
        members = list(group)
        numbers = _numbers(members, consecutive)
        unit = _unit_of_times(numbers)
        for file, number in zip(members, numbers, strict=True):
            passed = number - numbers[0]
            time = start + (passed * unit if unit else round(passed * 1e9 / rate))
            name = file.relative_to(folder).as_posix()
            pictures.append(Picture(name, time, _condition(file), file))
        start = pictures[-1].time + _PAUSE_NS
    return pictures


def _files_below(folder: Path) -> list[Path]:
    """List the files in a folder and those below it, also by symbolic links; hidden ones are left out.

    A link to a file that is not there is listed, since who reads it must hear of it.

    :raises UserError: if a folder cannot be read.
    """
    found: list[Path] = []
    seen: set[str] = set()
    for name, folders, files in os.walk(folder, onerror=_refuse_folder, followlinks=True):
        real = os.path.realpath(name)
        if real in seen:  # a link to a folder above it, or a second way to the same
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(sub for sub in folders if not sub.startswith("."))
        paths = [Path(name, file) for file in files if not file.startswith(".")]
        found += [path for path in paths if path.is_file() or path.is_symlink()]
    return found


def _refuse_folder(error: OSError) -> None:
    raise UserError(f"{error.filename}: cannot be read: {error.strerror}") from error


class VideoFrames:
    """The frames of a video file."""

    def __init__(
        self,
        path: Path,
        rate: float | None,
        decoding: DecodeOptions = DECODE_DEFAULTS,
        otherwise: float | None = None,
    ) -> None:
        """Open the file.

        :param rate: frames per second; None: as the file says.
        :param otherwise: frames per second where the file does not say; None: that is an error.
        :raises UserError: if OpenCV cannot read it, it does not say its rate, or its frames are too large.
        """
        self._path = path
        self._video = cv2.VideoCapture(str(path))
        if not self._video.isOpened():
            raise UserError(f"{path}: neither a folder of images nor a video that OpenCV can read")
        said = self._video.get(cv2.CAP_PROP_FPS)
        own = float(said) if 0 < said < 1000 else otherwise
        if rate is None and own is None:
            raise UserError(f"{path} does not say how many frames per second it has: give --hertz")
        self.rate = float(rate or own or 0)
        """Frames per second."""
        size = [
            int(self._video.get(cv2.CAP_PROP_FRAME_HEIGHT)),
            int(self._video.get(cv2.CAP_PROP_FRAME_WIDTH)),
        ]
        try:
            check_size(size[0], size[1], decoding)
        except DecodeError as error:
            raise UserError(f"{path}: {error}") from error
        self.count = max(0, int(self._video.get(cv2.CAP_PROP_FRAME_COUNT)))
        """As the file says; not always true."""

    def __iter__(self) -> Iterator[Picture]:
        number = 0
        while True:
            found, bgr = self._video.read()
            if not found:
                break
            pixels = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
            yield Picture(str(number), round(number * 1e9 / self.rate), None, None, pixels)
            number += 1
        self._video.release()
        if not number:
            raise UserError(f"{self._path}: no frame of the video can be read")


def _numbers(files: Iterable[Path], consecutive: bool) -> list[int]:
    """Return the frame numbers of a folder's files; counted where the names have no rising ones."""
    stems = [file.stem for file in files]
    digits = [re.search(r"_frame_(\d+)", stem) or re.search(r"(\d+)\D*$", stem) for stem in stems]
    numbers = [int(found[1]) for found in digits if found]
    rising = len(numbers) == len(stems) and all(a < b for a, b in pairwise(numbers))
    return numbers if rising and not consecutive else list(range(len(stems)))


def _unit_of_times(numbers: Sequence[int]) -> int | None:
    """Return the unit (ns) of numbers that are times since 1970, of this century; None for frame numbers."""
    for unit in (1, 10**3, 10**6):
        if numbers[0] * unit >= 10**18 and numbers[-1] * unit < 2**31 * 10**9:
            return unit
    return None


def _natural(path: Path) -> list[list[tuple[int, str]]]:
    """Sort key by folder, in which digits count as numbers."""
    return [_natural_words(path.parent.as_posix()), _natural_words(path.name)]


def _natural_words(text: str) -> list[tuple[int, str]]:
    """Split a text into numbers and words, each as (number, "") or (-1, word)."""
    words = [word for word in re.split(r"(\d+)", text) if word]
    return [(int(word), "") if word.isdecimal() else (-1, word) for word in words]


def _condition(file: Path) -> str | None:
    """Return the last folder's name on the way that is one of ACDC's conditions."""
    folders = file.resolve().parts[:-1]
    if any(part.endswith("_ref") for part in folders) and set(folders) & set(CONDITIONS):
        return "normal"
    return next((part for part in reversed(folders) if part in CONDITIONS), None)
