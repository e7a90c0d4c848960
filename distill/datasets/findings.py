"""What is found in the images of a split beyond faults of single files: what would make scores lie.

:func:`look_at` reads one image and its labels, :func:`findings` judges many of them together. An "error"
makes training or its scores meaningless; an "oddity" is worth a line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from distill.datasets.check import Fault, check_frame_with_labels
from distill.datasets.frame import Frame, read_pixels
from distill.datasets.image_file import describe_format, read_header
from distill.datasets.listing import Oddities
from kd_seg_ros.common.classes import IGNORE_ID
from kd_seg_ros.common.errors import UserError

AMOUNTS: Final = ("sample", "all", "none")
"""How much of the data can be looked at before training."""

MUCH_IGNORED: Final = 0.2
"""Share of ignored pixels from which it is told, 0…1: the usual data sets have up to 0.15."""


@dataclass(frozen=True)
class Finding:
    """One thing about a split that a person must know."""

    level: str
    """"error": training or its scores would mean nothing; "oddity": worth a line."""
    kind: str
    """What it is, in a word."""
    message: str
    """The finding in one line."""


@dataclass(frozen=True)
class Look:
    """What one image and its labels are like."""

    faults: tuple[Fault, ...]
    size: tuple[int, int] | None = None
    """Height and width of the upright image, pixels; None if it cannot be read."""
    orientation: int = 1
    """EXIF orientation of the image, 1…8."""
    label_format: str | None = None
    """How the label file stores its pixels, e.g. "PNG L"."""
    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))
    """Number of pixels of each trainId, [256]; all 0 without labels that can be read."""


def look_at(frame: Frame) -> Look:
    """Decode one image and its labels and note what they are like, faults included."""
    faults, labels = check_frame_with_labels(frame)
    size, orientation, label_format = None, 1, None
    try:
        if frame.message is None:
            size, orientation = read_header(frame.image)
        else:
            height, width = read_pixels(frame).shape[:2]
            size = (width, height)
        label_format = None if frame.labels is None else describe_format(frame.labels)
    except UserError:
        pass  # among the faults
    counts = np.zeros(256, np.int64)
    if labels is not None:
        counts = np.bincount(labels.reshape(-1), minlength=256).astype(np.int64)
    return Look(tuple(faults), size, orientation, label_format, counts)


def total_counts(looks: Sequence[Look]) -> npt.NDArray[np.int64]:
    """Return the number of pixels of each trainId in all label files together, [256]."""
    total = np.zeros(256, np.int64)
    for look in looks:
        total += look.counts
    return total


def size_text(size: tuple[int, int]) -> str:
    """Return (height, width) as a person writes it, "1920×1080"."""
    return f"{size[1]}×{size[0]}"


def findings(looks: Sequence[Look], class_names: Sequence[str], split: str, of: int) -> list[Finding]:
    """Judge what was seen of a split.

    :param split: names the split in messages.
    :param of: number of images of the split, of which ``looks`` may be a part.
    """
    found = []
    labelled = [look for look in looks if look.label_format is not None]
    seen = f"the {len(looks)} images" if len(looks) == of else f"the {len(looks)} of {of} images looked at"
    if labelled:
        found += _label_findings(labelled, class_names, split, seen)
    sizes = Counter(look.size for look in looks if look.size is not None)
    if len(sizes) > 1:
        shown = ", ".join(f"{size_text(size)} ({number})" for size, number in sizes.most_common(4))
        found.append(Finding("oddity", "sizes", f"{split}: images of {len(sizes)} sizes: {shown}"))
    turned = sum(look.orientation != 1 for look in looks)
    if turned:
        text = (
            f"{split}: {turned} of {seen} are turned upright as their EXIF orientation says; labels must be"
        )
        found.append(Finding("oddity", "orientation", f"{text} of the upright images"))
    formats = Counter(look.label_format for look in labelled)
    if len(formats) > 1:
        shown = ", ".join(f"{name} ({number})" for name, number in formats.most_common())
        found.append(Finding("oddity", "formats", f"{split}: label files of several kinds: {shown}"))
    return found


def listing_findings(oddities: Oddities, split: str) -> list[Finding]:
    """Say what was odd about the folders of a split."""
    found = []
    for kind, paths, text in (
        ("hidden", oddities.hidden, "hidden files are left out"),
        ("links", oddities.links, "folders are links, and were followed"),
        ("loops", oddities.loops, "links lead back to where they are, and were not followed"),
    ):
        if paths:
            found.append(Finding("oddity", kind, f"{split}: {len(paths)} {text}, such as {paths[0]}"))
    return found


def _label_findings(labelled: Sequence[Look], names: Sequence[str], split: str, seen: str) -> list[Finding]:
    """Judge the classes and the ignored pixels of a split."""
    counts = total_counts(labelled)
    pixels, ignored = int(counts.sum()), int(counts[IGNORE_ID])
    if pixels == 0:
        return []  # no labels could be read, which the faults say
    if pixels == ignored:
        return [Finding("error", "ignored", f"{split}: all labels of {seen} are {IGNORE_ID} (ignored)")]
    found = []
    absent = [name for number, name in enumerate(names) if counts[number] == 0]
    share = ignored / pixels
    if share >= MUCH_IGNORED:
        text = f"{split}: {100 * share:.0f} % of the pixels are {IGNORE_ID} (ignored)"
        found.append(Finding("oddity", "ignored", text))
    if absent:
        what = f"class {absent[0]} never occurs" if len(absent) == 1 else f"{len(absent)} classes never occur"
        listed = "" if len(absent) == 1 else f": {', '.join(absent)}"
        found.append(Finding("oddity", "absent", f"{split}: {what} in {seen}{listed}"))
    if len(names) - len(absent) == 1:
        only = next(name for name in names if name not in absent)
        advice = f"; are {IGNORE_ID}s a class? write it into the class map (values: {{{IGNORE_ID}: …}})"
        text = f"{split}: {only} is the only class in {seen}, so that every score would be perfect"
        found.append(Finding("error", "one class", text + (advice if ignored else "")))
    return found
