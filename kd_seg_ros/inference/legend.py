"""Names of the classes next to their colours, as a band over or below a picture.

All classes keep their places from frame to frame, and those that a picture does not show are dimmed, so that
nothing moves while a video plays; or only the classes that a picture shows are listed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kd_seg_ros.common.picture_options import ALL, NONE
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.colour_vision import ClassMark, class_marks
from kd_seg_ros.inference.overlay import colorize

LEAST_SHARE: Final = 0.001
"""Share of the pixels from which on a class counts as shown."""

_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
_BACKGROUND: Final = 32
_TEXT: Final = 240
_DIMMED: Final = 0.35
"""Brightness left to the entry of a class that the picture does not show."""
_SAMPLES: Final = 320
"""Columns of a mask that are looked at, evenly spread, to see which classes it shows."""


@dataclass(frozen=True)
class Legend:
    """Draws the legend of one model."""

    names: tuple[str, ...]
    """Class names, in the order of their ids."""
    palette: tuple[tuple[int, int, int], ...]
    """RGB per class id."""
    marks: tuple[ClassMark, ...] = ()
    """How each class is hatched; none: no class is."""
    kind: str = ALL
    """One of :data:`~kd_seg_ros.common.picture_options.LEGENDS`."""

    def below(self, picture: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a picture with the legend added below it, all of whose classes fit.

        :param picture: RGB, uint8 [H, W, 3].
        :param mask: class ids of what it shows, uint8 [h, w].
        :return: RGB, uint8 [H + h', W, 3]. h' is even and depends on the width alone, as the pictures of a
            video must have one size.
        """
        if self.kind == NONE:
            return picture
        width = picture.shape[1]
        everything = _drawn(
            self.names, self.palette, self.marks, (True,) * len(self.names), True, width, None
        )
        band = self._band(width, mask, None)
        rest = np.full((len(everything) - len(band), width, 3), _BACKGROUND, np.uint8)
        return np.vstack([picture, band, rest])

    def draw_over(self, picture: NDArray[np.uint8], mask: NDArray[np.uint8], *, bgr: bool = False) -> None:
        """Draw the legend over the top of a picture, where the sky mostly is, up to a third of its height.

        Where all classes do not fit, those that the picture shows are listed; where these do not either, the
        last entry says how many are left out.

        :param picture: uint8 [H, W, 3], changed in place.
        :param mask: class ids of what it shows, uint8 [h, w].
        :param bgr: the picture's channels are BGR instead of RGB.
        """
        band = self._band(picture.shape[1], mask, picture.shape[0] // 3)
        picture[: len(band)] = band[..., ::-1] if bgr else band

    def _band(self, width: int, mask: NDArray[np.uint8], most: int | None) -> NDArray[np.uint8]:
        """Return the legend, RGB [h, width, 3], of at most ``most`` rows of pixels."""
        if self.kind == NONE:
            return np.zeros((0, width, 3), np.uint8)
        shown = shown_classes(mask, len(self.names))
        return _drawn(self.names, self.palette, self.marks, shown, self.kind == ALL, width, most)


def legend_of(card: ModelCard, kind: str = ALL, marks: bool = True) -> Legend:
    """Return the legend of a model's classes.

    :param kind: one of :data:`~kd_seg_ros.common.picture_options.LEGENDS`.
    :param marks: hatch classes whose colours some readers confuse.
    """
    return Legend(card.class_names, card.palette, class_marks(card.palette) if marks else (), kind)


def shown_classes(mask: NDArray[np.uint8], classes: int) -> tuple[bool, ...]:
    """Return of each class whether it has at least :data:`LEAST_SHARE` of a mask's pixels."""
    step = max(1, mask.shape[1] // _SAMPLES)
    sample = mask[::step, ::step]
    counts = np.bincount(sample.ravel(), minlength=256)[:classes]
    return tuple((counts >= max(1.0, LEAST_SHARE * sample.size)).tolist())


@lru_cache(maxsize=64)
def _drawn(
    names: tuple[str, ...],
    palette: tuple[tuple[int, int, int], ...],
    marks: tuple[ClassMark, ...],
    shown: tuple[bool, ...],
    everything: bool,
    width: int,
    most: int | None,
) -> NDArray[np.uint8]:
    """Draw the entries in rows from the left; the result is not writable."""
    scale = min(max(width / 2000, 0.38), 2.0)
    height = 2 * round(21 * scale)  # of a row: even, as the encoders of videos want it
    rows = None if most is None else most // height
    palette_marks = (palette, marks)
    entries = [
        _entry(name, number, palette_marks, height, scale, width, shown[number])
        for number, name in enumerate(names)
    ]
    chosen = entries if everything else _of(entries, shown)
    places = _places(chosen, width)
    if rows is not None and places and places[-1][0] >= rows:
        # Too many: only what the picture shows, and then as much of it as there is room for.
        chosen = _fitting(_of(entries, shown), width, height, scale, rows)
        places = _places(chosen, width)
    lines = places[-1][0] + 1 if places else 0
    band = np.full((lines * height, width, 3), _BACKGROUND, np.uint8)
    for (line, left), entry in zip(places, chosen, strict=True):
        band[line * height : (line + 1) * height, left : left + entry.shape[1]] = entry
    band.flags.writeable = False
    return band


def _of(entries: Sequence[NDArray[np.uint8]], shown: Sequence[bool]) -> list[NDArray[np.uint8]]:
    """Return the entries of the classes that are shown."""
    return [entry for entry, is_shown in zip(entries, shown, strict=True) if is_shown]


def _fitting(
    entries: list[NDArray[np.uint8]], width: int, height: int, scale: float, rows: int
) -> list[NDArray[np.uint8]]:
    """Return the first entries that fit into some rows, and one that counts the others."""
    for left_out in range(len(entries) + 1):
        kept = entries[: len(entries) - left_out]
        if left_out:
            kept = [*kept, _words(f"+{left_out}", height, scale)[:, :width]]
        places = _places(kept, width)
        if not places or places[-1][0] < rows:
            return kept
    return []


def _places(entries: Sequence[NDArray[np.uint8]], width: int) -> list[tuple[int, int]]:
    """Return row and left edge of each entry, as words are set in lines."""
    places: list[tuple[int, int]] = []
    row = left = 0
    for entry in entries:
        if left and left + entry.shape[1] > width:
            row, left = row + 1, 0
        places.append((row, left))
        left += entry.shape[1]
    return places


@lru_cache(maxsize=1024)
def _entry(
    name: str,
    number: int,
    palette_marks: tuple[tuple[tuple[int, int, int], ...], tuple[ClassMark, ...]],
    height: int,
    scale: float,
    width: int,
    is_shown: bool,
) -> NDArray[np.uint8]:
    """Draw a class's colour with its hatching, and its name after it, cut where it is wider than the band."""
    palette, marks = palette_marks
    gap = max(2, height // 6)
    swatch = np.full((height, 2 * height, 3), _BACKGROUND, np.uint8)
    inner = np.full((height - 2 * gap, 2 * height - 2 * gap), number, np.uint8)
    swatch[gap : height - gap, gap : 2 * height - gap] = colorize(inner, palette, marks)
    text = plain_letters(name).replace("_", " ")
    words = _words(text, height, scale)
    while len(text) > 1 and swatch.shape[1] + words.shape[1] > width:
        text = text[:-1]
        words = _words(f"{text}..", height, scale)
    entry = np.hstack([swatch, words])[:, :width]
    return entry if is_shown else np.asarray(entry * _DIMMED + _BACKGROUND * (1 - _DIMMED), np.uint8)


def _words(text: str, height: int, scale: float) -> NDArray[np.uint8]:
    """Draw a text in light grey with a margin on its right."""
    thickness = max(1, round(1.6 * scale))
    (width, _), _ = cv2.getTextSize(text, _FONT, scale, thickness)
    words = np.full((height, width + height // 2, 3), _BACKGROUND, np.uint8)
    base = round(height * 0.7)
    cv2.putText(words, text, (0, base), _FONT, scale, (_TEXT, _TEXT, _TEXT), thickness, cv2.LINE_AA)
    return words


def plain_letters(text: str) -> str:
    """Return a text in ASCII, which is all that OpenCV's letters have: ü becomes u, other letters ?."""
    decomposed = unicodedata.normalize("NFKD", text)
    bare = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return bare.encode("ascii", "replace").decode()
