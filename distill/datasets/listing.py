"""Finding the label file of every image: by name, in a folder tree beside the images'.

A reader makes a :class:`Listing`, which knows what has no partner: training takes its
:meth:`Listing.complete` frames, ``check-data`` reports the rest.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from distill.datasets.frame import Frame, LabelMap
from kd_seg_ros.common.classes import CLASS_NAMES
from kd_seg_ros.common.errors import UserError

SPLITS: Final[tuple[str, ...]] = ("train", "val", "test")


@dataclass(frozen=True)
class Listing:
    """The images of a data set, and what is missing beside them."""

    frames: list[Frame]
    """One for every image; without labels where they are missing."""
    missing: list[tuple[Path, Path]] = field(default_factory=list)
    """Images without labels, and the label file that each should have."""
    orphans: list[Path] = field(default_factory=list)
    """Label files without an image."""
    class_names: tuple[str, ...] = CLASS_NAMES

    def complete(self) -> list[Frame]:
        """Return the frames; raises UserError if labels are missing. Labels without an image do no harm."""
        if self.missing:
            image, labels = self.missing[0]
            others = f" (nor have {len(self.missing) - 1} others)" if len(self.missing) > 1 else ""
            raise UserError(
                f"image {image} has no labels: {labels} does not exist{others}; `check-data` lists all"
            )
        return self.frames


@dataclass(frozen=True)
class Naming:
    """How a data set calls its files: what follows the part of the name that image and labels share."""

    folder_depth: int
    """Folders between the split's and the files."""
    image_suffix: str
    label_suffixes: Mapping[str, LabelMap | None]
    """Kinds of label files, the preferred one first, and what turns each into trainIds."""


def list_split(images: Path, labels: Path | None, naming: Naming, condition: str, remedy: str) -> Listing:
    """List the images of a split's folder, ordered by path, with their labels.

    :param labels: the folder that mirrors ``images``; None for a split without labels.
    :param remedy: what to do where a folder is missing or empty.
    :raises UserError: naming that folder.
    """
    folders = "*/" * naming.folder_depth
    pattern = f"{folders}*{naming.image_suffix}"
    paths = sorted(images.glob(pattern))
    if not paths:
        problem = f"has no {pattern}" if images.is_dir() else "does not exist"
        raise UserError(f"image folder {images} {problem}: {remedy}")
    if labels is None:
        return Listing([Frame(path, None, condition) for path in paths])
    if not labels.is_dir():
        raise UserError(f"label folder {labels} does not exist: {remedy}")
    found = {suffix: set(labels.glob(folders + f"*{suffix}")) for suffix in naming.label_suffixes}
    frames, missing = [], []
    for path in paths:
        stem = labels / path.relative_to(images).with_name(path.name.removesuffix(naming.image_suffix))
        kinds = {suffix: stem.with_name(stem.name + suffix) for suffix in naming.label_suffixes}
        suffix = next((suffix for suffix, file in kinds.items() if file in found[suffix]), None)
        if suffix is None:
            missing.append((path, next(iter(kinds.values()))))
            frames.append(Frame(path, None, condition))
        else:
            frames.append(Frame(path, kinds[suffix], condition, naming.label_suffixes[suffix]))
        for kind, file in kinds.items():
            found[kind].discard(file)
    return Listing(frames, missing, sorted(set().union(*found.values())))


def joined(listings: Iterable[Listing]) -> Listing:
    """Join listings of the same classes, in order."""
    parts = list(listings)
    return Listing(
        [frame for part in parts for frame in part.frames],
        [pair for part in parts for pair in part.missing],
        [path for part in parts for path in part.orphans],
        parts[0].class_names,
    )


def check_split(split: str, data_set: str) -> None:
    """Raise UserError for a split that does not exist."""
    if split not in SPLITS:
        raise UserError(f"unknown {data_set} split {split!r}: choose from {', '.join(SPLITS)}")


def first_folder(root: Path, candidates: Sequence[str], remedy: str) -> Path:
    """Return the first of several folders below ``root`` that is there.

    :raises UserError: naming them all, if none is, or naming ``root``, if that is missing.
    """
    if not root.is_dir():
        raise UserError(f"data root {root} " + ("is not a folder" if root.exists() else "does not exist"))
    for candidate in candidates:
        if (root / candidate).is_dir():
            return root / candidate
    raise UserError(f"{root} has none of the folders {', '.join(candidates)}: {remedy}")
