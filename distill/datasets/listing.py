"""Finds the label file of every image by its name, in a folder tree that mirrors that of the images.

A reader of a data set makes a :class:`Listing`, which also holds the files without a partner: training takes
its :meth:`Listing.complete` frames, ``check-data`` reports the rest.
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
    """The images of a data set with their labels, and the files that have no partner."""

    frames: list[Frame]
    """One for every image, without labels where those are missing."""
    missing: list[tuple[Path, Path]] = field(default_factory=list)
    """Each image whose labels are missing, with the label file that it should have."""
    orphans: list[Path] = field(default_factory=list)
    """Label files whose image is missing."""
    class_names: tuple[str, ...] = CLASS_NAMES
    """Names of the classes, in the order of their trainIds."""

    def complete(self) -> list[Frame]:
        """Return the frames; raises UserError if labels are missing. Labels without an image are no error."""
        if self.missing:
            image, labels = self.missing[0]
            others = f" (nor have {len(self.missing) - 1} others)" if len(self.missing) > 1 else ""
            raise UserError(
                f"image {image} has no labels: {labels} does not exist{others}; `check-data` lists all"
            )
        return self.frames


@dataclass(frozen=True)
class Naming:
    """How a data set names its files: what follows the part of the name that image and labels share."""

    folder_depth: int
    """Number of folders between the folder of the split and the files."""
    image_suffix: str
    """End of the name of an image file."""
    label_suffixes: Mapping[str, LabelMap | None]
    """End of the name of each kind of label file, the preferred kind first, and its table to trainIds."""


def list_split(images: Path, labels: Path | None, naming: Naming, condition: str, remedy: str) -> Listing:
    """List the images of a split's folder, ordered by path, with their labels.

    :param images: folder of the split's images.
    :param labels: the folder that mirrors ``images``; None for a split without labels.
    :param condition: the weather of all images.
    :param remedy: what the user can do about a folder that is missing or empty; ends the error message.
    :raises UserError: naming the folder that is missing or empty.
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
        present = [suffix for suffix, file in kinds.items() if file in found[suffix]]
        if not present:
            missing.append((path, next(iter(kinds.values()))))
            frames.append(Frame(path, None, condition))
        else:
            suffix = present[0]
            frames.append(Frame(path, kinds[suffix], condition, naming.label_suffixes[suffix]))
        for kind, file in kinds.items():
            found[kind].discard(file)
    return Listing(frames, missing, sorted(set().union(*found.values())))


def joined(listings: Iterable[Listing]) -> Listing:
    """Join listings of the usual 19 classes, in order."""
    whole = Listing([])
    for listing in listings:
        whole.frames.extend(listing.frames)
        whole.missing.extend(listing.missing)
        whole.orphans.extend(listing.orphans)
    return whole


def check_split(split: str, data_set: str) -> None:
    """Raise UserError for a split that does not exist; ``data_set`` is named in the message."""
    if split not in SPLITS:
        raise UserError(f"unknown {data_set} split {split!r}: choose from {', '.join(SPLITS)}")


def first_folder(root: Path, candidates: Sequence[str], remedy: str) -> Path:
    """Return the first of several folders below ``root`` that exists.

    :param candidates: paths relative to ``root``.
    :param remedy: what the user can do if none exists; ends the error message.
    :raises UserError: naming all candidates, if none exists, or ``root``, if that is missing.
    """
    if not root.is_dir():
        raise UserError(f"data root {root} " + ("is not a folder" if root.exists() else "does not exist"))
    for candidate in candidates:
        if (root / candidate).is_dir():
            return root / candidate
    raise UserError(f"{root} has none of the folders {', '.join(candidates)}: {remedy}")
